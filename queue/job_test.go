package queue

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var clock = time.UnixMilli(1764000000123)

// encoded is the record that Enqueue writes.
func encoded(t *testing.T, j NewJob) string {
	t.Helper()
	j, err := j.normalized()
	if err != nil {
		t.Fatal(err)
	}
	return j.encode(clock)
}

func TestRecordRepeatsNoDefaults(t *testing.T) {
	for _, test := range []struct {
		job  NewJob
		want string
	}{
		{NewJob{}, `{"type":"message"}`},
		{NewJob{MaxRetry: DefaultMaxRetry}, `{"type":"message"}`},
		{NewJob{MaxRetry: NoRetry}, `{"type":"message","max_retry":0}`},
		{NewJob{MaxRetry: 3, Type: "a.b_c-1", Queue: "q"}, `{"type":"a.b_c-1","max_retry":3}`},
		{NewJob{Timeout: time.Nanosecond}, `{"type":"message","timeout_ms":1}`},
		{NewJob{Timeout: 1500 * time.Millisecond}, `{"type":"message","timeout_ms":1500}`},
		{NewJob{ID: "x"}, `{"type":"message","created":1764000000123}`},
		{NewJob{ID: "919108f7-52d1-4320-9bac-f847db4148a8"}, `{"type":"message","created":1764000000123}`}, // version 4
		{NewJob{Payload: json.RawMessage("null")}, `{"type":"message","payload":null}`},
		{NewJob{Payload: json.RawMessage(" [ 1 , \"<&>\u2028é\" ] ")}, `{"type":"message","payload":[1,"<&>` + "\u2028" + `é"]}`},
	} {
		if got := encoded(t, test.job); got != test.want {
			t.Errorf("%+v: %s, want %s", test.job, got, test.want)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, job := range []NewJob{
		{ID: "a", Queue: "q"},
		{ID: "a", Queue: "q", Type: "t", MaxRetry: 7, Timeout: time.Minute, Payload: json.RawMessage(`{"max_retry":1}`)},
		{ID: "a", Queue: "q", MaxRetry: NoRetry, Payload: json.RawMessage(`null`)},
		{ID: "a", Queue: "q", Payload: json.RawMessage(strings.Repeat("[", 9000) + strings.Repeat("]", 9000))},
	} {
		want := Job{ID: "a", Queue: "q", Type: job.Type, Payload: job.Payload, MaxRetry: job.MaxRetry, Timeout: job.Timeout, Created: clock}
		if want.Type == "" {
			want.Type = DefaultType
		}
		switch job.MaxRetry {
		case 0:
			want.MaxRetry = DefaultMaxRetry
		case NoRetry:
			want.MaxRetry = 0
		}
		got, err := decodeJob("q", "a", encoded(t, job))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

func TestIDTellsWhenTheJobWasCreated(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	j, err := NewJob{}.normalized()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeJob("q", j.ID, `{"type":"x"}`)
	if err != nil || got.Created.Before(before) || got.Created.After(time.Now()) {
		t.Errorf("created %s, want about %s (%v)", got.Created, before, err)
	}
	if id, err := uuid.Parse(j.ID); err != nil || id.Version() != 7 || len(j.ID) != 36 {
		t.Errorf("id %s: %v", j.ID, err)
	}
}

// Jobs due at the same ms are claimed in the order of their ids.
func TestIDsRise(t *testing.T) {
	last := ""
	for range 10000 {
		j, err := NewJob{}.normalized()
		if err != nil || j.ID <= last {
			t.Fatalf("%s after %s: %v", j.ID, last, err)
		}
		last = j.ID
	}
}

func TestJobsAreRefused(t *testing.T) {
	long := json.RawMessage(`"` + strings.Repeat("x", MaxPayload-1) + `"`)
	for field, jobs := range map[string][]NewJob{
		"job_id":          {{ID: "a b"}, {ID: "é"}, {ID: "a\n"}, {ID: strings.Repeat("x", 129)}},
		"queue":           {{Queue: "A"}, {Queue: "a b"}, {Queue: "a}"}, {Queue: "a\n"}, {Queue: strings.Repeat("x", 65)}},
		"type":            {{Type: "A"}, {Type: "a b"}, {Type: "a\n"}, {Type: strings.Repeat("x", 65)}},
		"delay_seconds":   {{Delay: -1}, {Delay: MaxDelay + 1}},
		"max_retry":       {{MaxRetry: -2}, {MaxRetry: MaxRetryLimit + 1}},
		"timeout_seconds": {{Timeout: -1}, {Timeout: MaxDelay + 1}},
		"payload":         {{Payload: long}, {Payload: json.RawMessage("{")}, {Payload: json.RawMessage{}}, {Payload: json.RawMessage("1 2")}},
	} {
		for _, job := range jobs {
			_, err := job.normalized()
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != field || invalid.Reason == "" || !errors.Is(err, ErrInvalid) {
				t.Errorf("%s of %+.80v: %v", field, job, err)
			}
		}
	}
	_, err := NewJob{Type: "A", Delay: -1}.normalized()
	for _, field := range []string{"type", "delay_seconds"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("every bad field is named: %v", err)
		}
	}
}

func TestJobsAtTheLimitsAreTaken(t *testing.T) {
	for _, job := range []NewJob{
		{ID: strings.Repeat("~", 128), Queue: strings.Repeat("q", 64), Type: strings.Repeat("t", 64)},
		{Delay: MaxDelay, MaxRetry: MaxRetryLimit, Timeout: MaxDelay},
		{Payload: json.RawMessage(" \"" + strings.Repeat("x", MaxPayload-2) + "\" ")}, // as compact JSON it fits
	} {
		if _, err := job.normalized(); err != nil {
			t.Error(err)
		}
	}
}

func TestDecodeRefusesWhatIsNoRecord(t *testing.T) {
	for _, text := range []string{"", "x", "[]", `"x"`, "{", `{"type":1}`, `{"type":"x","max_retry":"3"}`, `{"type":"x","max_retry":1.5}`, `{"type":"x"} x`} {
		j, err := decodeJob("q", "a", text)
		if err == nil || j.ID != "a" || j.Queue != "q" || !strings.Contains(err.Error(), "job a") {
			t.Errorf("%q: %+v, %v", text, j, err)
		}
	}
}

// A record from a newer version may have fields that this one does not know.
func TestDecodeIgnoresUnknownFields(t *testing.T) {
	if j, err := decodeJob("q", "a", `{"type":"x","later":{"a":1}}`); err != nil || j.Type != "x" {
		t.Errorf("%+v, %v", j, err)
	}
}

func TestMillis(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "x": 0, "nan": 0, "0": 0, "1764000000123": 1764000000123, "1.764e+12": 1764000000000,
		"12.9": 12, "-5": -5, "inf": farthest, "-inf": -farthest, "1e400": farthest, "9223372036854775807": farthest} {
		if got := millis(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestDelaysAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, MaxDelay: MaxDelay.Milliseconds()} {
		if got := delayMS(d); got != want {
			t.Errorf("%s: %d, want %d", d, got, want)
		}
	}
}

// The quick way to read a record takes only what json.Unmarshal takes, and as the same thing.
func TestQuickDecodeAgreesWithJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []byte(`{}[]":,0123456789-+.eE \ntypepayloadmax_retrytimeout_mscreatednull` + "\x00\xff")
	quick := 0
	check := func(text string) {
		r, ok := readRecord(text)
		if !ok {
			return
		}
		quick++
		var want record
		if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(r, want) {
			t.Errorf("%q: %+v, and json says %+v (%v)", text, r, want, err)
		}
	}
	for _, job := range []NewJob{
		{}, {ID: "a"}, {MaxRetry: 3}, {MaxRetry: NoRetry, Timeout: time.Minute}, {ID: "a", Type: "mail", MaxRetry: 999, Timeout: 1,
			Payload: json.RawMessage(`{"to":"ann@example.org","n":[1,2.5e3,null,true,"\u00e9\""]}`)},
		{Payload: json.RawMessage(`7`)}, {Payload: json.RawMessage(`""`)}, {Payload: json.RawMessage(`null`)},
	} {
		text := []byte(encoded(t, job))
		if _, ok := readRecord(string(text)); !ok {
			t.Errorf("%s is not read the quick way", text)
		}
		for range 20_000 {
			spoiled := slices.Clone(text)
			for range 1 + random.IntN(3) {
				i := random.IntN(len(spoiled))
				switch c := alphabet[random.IntN(len(alphabet))]; random.IntN(4) {
				case 0:
					spoiled = slices.Insert(spoiled, i, c)
				case 1:
					spoiled = append(slices.Delete(spoiled, i, i+1), ' ')
				case 2:
					spoiled = slices.Insert(spoiled, i, spoiled[random.IntN(i+1):i]...)
				default:
					spoiled[i] = c
				}
			}
			check(string(spoiled))
			check(strings.TrimSpace(string(spoiled)))
		}
	}
	if quick < 1000 {
		t.Errorf("only %d spoiled records were read the quick way: too few to say anything", quick)
	}
}

// What is nested deeply is not indented: each line would cost its depth.
func TestPrettyPayload(t *testing.T) {
	if got := PrettyPayload([]byte(`{"a":[1,{"b":null}]}`)); got != "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ]\n}" {
		t.Errorf("%s", got)
	}
	deep := []byte(strings.Repeat("[", 1000) + strings.Repeat("1,", 31_000) + "1" + strings.Repeat("]", 1000))
	if got := PrettyPayload(deep); len(got) > 20*len(deep) {
		t.Errorf("%d bytes became %d", len(deep), len(got))
	}
}

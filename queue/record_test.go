package queue

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const traced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// What scripts read in every claim comes first, the payload last; a record without any of it begins with its type.
func TestRecordOfASpecialJob(t *testing.T) {
	for _, test := range []struct {
		job  NewJob
		want string
	}{
		{NewJob{Expires: 1500*time.Millisecond + 1, Unique: &Unique{Key: "k", Until: UntilStart}},
			`{"expires_ms":1501,"unique":"k","until":"start","type":"message"}`},
		{NewJob{Unique: &Unique{Key: "k", For: time.Minute}, MaxRetry: 3}, `{"unique":"k","until":60000,"type":"message","max_retry":3}`},
		{NewJob{At: clock, Idempotency: &Idempotency{Key: "x"}}, `{"type":"message"}`},
		{NewJob{Retention: 1, Backoff: &Backoff{Kind: BackoffExponential}, Metadata: map[string]string{"payload": "\"payload\":", "a": "<é>"},
			Subject: "ann", TraceParent: traced, Payload: []byte("1")}, `{"type":"message","retention_ms":1,` +
			`"backoff":{"kind":"exponential","base_seconds":1,"cap_seconds":3600},"metadata":{"a":"<é>","\u0070ayload":"\"payload\":"},` +
			`"subject":"ann","traceparent":"` + traced + `","payload":1}`},
		{NewJob{Backoff: &Backoff{Kind: BackoffFixed, Base: 1500 * time.Millisecond}}, `{"type":"message","backoff":{"kind":"fixed","seconds":1.5}}`},
		{NewJob{Backoff: &Backoff{Kind: BackoffFixed}}, `{"type":"message","backoff":{"kind":"fixed","seconds":0}}`},
		{NewJob{Backoff: &Backoff{Kind: BackoffList, Delays: []time.Duration{0, time.Second, 1500 * time.Microsecond}}},
			`{"type":"message","backoff":{"kind":"list","seconds":[0,1,0.002]}}`},
	} {
		got := encoded(t, test.job)
		if got != test.want {
			t.Errorf("%+v:\n     %s\nwant %s", test.job, got, test.want)
		}
		job, err := decodeJob("q", "x", got)
		if err != nil {
			t.Error(err)
		}
		n, _ := test.job.normalized()
		wantUnique := n.Unique
		if !reflect.DeepEqual(job.Unique, wantUnique) || !reflect.DeepEqual(job.Backoff, n.Backoff) || !reflect.DeepEqual(job.Metadata, n.Metadata) ||
			job.Subject != n.Subject || job.TraceParent != n.TraceParent || job.Expires < n.Expires || job.Expires-n.Expires >= time.Millisecond ||
			job.Retention < n.Retention || string(job.Payload) != string(n.Payload) {
			t.Errorf("%s is read as %+v", got, job)
		}
	}
}

func TestSpecialJobsAreRefused(t *testing.T) {
	long := strings.Repeat("x", 257)
	many := map[string]string{}
	for i := range MaxMetadata + 1 {
		many[strings.Repeat("k", i+1)] = ""
	}
	second := []time.Duration{time.Second}
	for field, jobs := range map[string][]NewJob{
		"run_at":             {{At: time.Now().Add(MaxDelay + time.Hour)}, {At: clock, Delay: 1}},
		"retention_seconds":  {{Retention: -1}, {Retention: MaxDelay + 1}},
		"expires_in_seconds": {{Expires: -1}, {Expires: MaxDelay + 1}},
		"metadata": {{Metadata: many}, {Metadata: map[string]string{"": "x"}}, {Metadata: map[string]string{`a"`: "x"}}, {Metadata: map[string]string{"a b": "x"}},
			{Metadata: map[string]string{strings.Repeat("k", 65): "x"}}, {Metadata: map[string]string{"a": long}}, {Metadata: map[string]string{"a": "\xff"}}},
		"subject":     {{Subject: long}, {Subject: "\xff"}},
		"traceparent": {{TraceParent: "x"}, {TraceParent: traced + "0"}, {TraceParent: strings.ToUpper(traced)}},
		"unique": {{Unique: &Unique{Until: UntilDone}}, {Unique: &Unique{Key: "k"}}, {Unique: &Unique{Key: "k", Until: "noon"}}, {Unique: &Unique{Key: "k", For: -1}},
			{Unique: &Unique{Key: "k", For: 1, Until: UntilDone}}, {Unique: &Unique{Key: `a\`, Until: UntilDone}}, {Unique: &Unique{Key: "a b", Until: UntilDone}},
			{Unique: &Unique{Key: "k", For: MaxDelay + 1}}, {Unique: &Unique{Key: strings.Repeat("k", 129), Until: UntilDone}}},
		"backoff": {{Backoff: &Backoff{}}, {Backoff: &Backoff{Kind: "x"}}, {Backoff: &Backoff{Kind: BackoffFixed, Base: -1}}, {Backoff: &Backoff{Kind: BackoffList}},
			{Backoff: &Backoff{Kind: BackoffExponential, Base: time.Minute, Cap: time.Second}}, {Backoff: &Backoff{Kind: BackoffExponential, Cap: MaxDelay + 1}},
			{Backoff: &Backoff{Kind: BackoffList, Delays: append(second, -1)}}, {Backoff: &Backoff{Kind: BackoffList, Delays: make([]time.Duration, 101)}}},
		"idempotency_key": {{Idempotency: &Idempotency{}}, {Idempotency: &Idempotency{Key: strings.Repeat("x", 513)}}},
	} {
		for _, job := range jobs {
			err := job.Validate()
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != field || invalid.Reason == "" || !errors.Is(err, ErrInvalid) {
				t.Errorf("%s of %+.80v: %v", field, job, err)
			}
		}
	}
}

func TestBackoffOfJSON(t *testing.T) {
	for text, want := range map[string]*Backoff{
		`{"kind":"exponential","base_seconds":0.5}`:  {Kind: BackoffExponential, Base: 500 * time.Millisecond},
		`{"kind":"fixed","seconds":2.0004}`:          {Kind: BackoffFixed, Base: 2 * time.Second},
		`{"kind":"fixed","seconds":1e300}`:           {Kind: BackoffFixed, Base: 2 * MaxDelay},
		`{"kind":"fixed","seconds":-1e300}`:          {Kind: BackoffFixed, Base: -2 * MaxDelay},
		`{"kind":"list","seconds":[1,0.25]}`:         {Kind: BackoffList, Delays: []time.Duration{time.Second, 250 * time.Millisecond}},
		`{"kind":"of a later version","seconds":{}}`: {Kind: "of a later version"},
		`{"kind":"fixed"}`:                           nil,
		`{"kind":"fixed","seconds":null}`:            nil,
		`{"kind":"fixed","seconds":[1]}`:             nil,
		`{"kind":"list","seconds":1}`:                nil,
		`{"kind":"exponential","base_seconds":"1"}`:  nil,
		`7`: nil,
	} {
		var got Backoff
		err := got.UnmarshalJSON([]byte(text))
		if (err == nil) != (want != nil) || want != nil && !reflect.DeepEqual(got, *want) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

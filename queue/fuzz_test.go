package queue

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// FuzzReadRecord: what the quick way takes, json.Unmarshal takes as the same; whatever a record is, it is read or refused.
func FuzzReadRecord(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `null`, `{"type":"message"}`, `{"type":"a.b_c-1","max_retry":3,"timeout_ms":1500,"created":1764000000123,"payload":[1,{"a":null}]}`,
		`{"type":"message","max_retry":007}`, `{"type":"message","max_retry":999999999999999999}`, `{"type":"message","max_retry":9999999999999999999}`,
		`{"type":"message","payload":}`, `{"type":"message","payload":1}}`, `{"type":"message","payload":"}`, `{"type":"message","payload":1,"type":"b"}`,
		`{"type":"message","payload":null}`, `{"type":"message","payload": 1 }`, `{"type":"message","PAYLOAD":1,"payload":2}`, `{"type":"message","max_retry":1,"max_retry":2}`,
		`{"max_retry":0,"reason":"record is missing","type":"unreadable"}`, "{\"type\":\"\xff\"}", `{"type":"\u0061"}`, `{"type":"message","created":-1}`,
		`{"expires_ms":1500,"unique":"k","until":"done","type":"message"}`, `{"type":"message","backoff":{"kind":"list","seconds":[1]},"metadata":{"a":"b"}}`,
		`{"type":"message","backoff":7}`, `{"unique":"k","until":60000,"type":"message","retention_ms":9999999999999999999}`,
		`{"type":"message","payload":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`,
	} {
		f.Add("0198c5a0-0000-7000-8000-000000000001", text)
	}
	f.Fuzz(func(t *testing.T, id, text string) {
		if r, ok := readRecord(text); ok {
			var want record
			if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(r, want) {
				t.Errorf("%+v, and json says %+v (%v)", r, want, err)
			}
		}
		job, err := decodeJob("q", id, text)
		if err == nil != (json.Unmarshal([]byte(text), &record{}) == nil) {
			t.Errorf("%+v: %v, and json says otherwise", job, err)
		}
		if job.ID != id || job.Queue != "q" {
			t.Errorf("the job is another: %+v", job)
		}
	})
}

// FuzzRecordRoundTrip: what Enqueue takes comes back as it was, and its record is one line of JSON.
func FuzzRecordRoundTrip(f *testing.F) {
	f.Add("", "", []byte(nil), 0, int64(0), int64(0))
	f.Add("a", "mail", []byte(`{"to":"ann@example.org","n":[1,2.5e3,null,"\u00e9\""]}`), 3, int64(time.Minute), int64(time.Hour))
	f.Add("919108f7-52d1-4320-9bac-f847db4148a8", "a.b-c_1", []byte("null"), NoRetry, int64(1), int64(MaxDelay))
	f.Add(strings.Repeat("~", 128), "message", []byte(" [ 1 , \"<&>\u2028\" ] "), MaxRetryLimit, int64(MaxDelay), int64(1))
	f.Add("\n", "\"", []byte("\"\xff\""), -2, int64(-1), int64(-1))
	f.Fuzz(func(t *testing.T, id, jobType string, payload []byte, retries int, timeout, delay int64) {
		job, err := NewJob{ID: id, Type: jobType, Payload: payload, MaxRetry: retries, Timeout: time.Duration(timeout),
			Delay: time.Duration(delay)}.normalized()
		if err != nil {
			return
		}
		text := job.encode(clock)
		if !json.Valid([]byte(text)) || strings.ContainsAny(text, "\n\r") {
			t.Fatalf("the record is not one line of JSON: %q", text)
		}
		if _, ok := readRecord(text); !ok {
			t.Errorf("it is not read the quick way: %q", text)
		}
		got, err := decodeJob(job.Queue, job.ID, text)
		if err != nil {
			t.Fatal(err)
		}
		want := Job{ID: job.ID, Queue: job.Queue, Type: job.Type, Payload: job.Payload, MaxRetry: max(0, job.MaxRetry), Created: got.Created}
		if job.MaxRetry == 0 {
			want.MaxRetry = DefaultMaxRetry
		}
		if job.Timeout > 0 {
			want.Timeout = max(time.Millisecond, job.Timeout.Truncate(time.Millisecond))
		}
		if !reflect.DeepEqual(got, want) || got.Created.IsZero() {
			t.Errorf("%q is read as %+v, want %+v", text, got, want)
		}
		if d := time.Duration(delayMS(job.Delay)) * time.Millisecond; d < job.Delay || d-job.Delay >= time.Millisecond {
			t.Errorf("a delay of %s becomes %s", job.Delay, d)
		}
	})
}

// FuzzURL: an error tells nothing of a URL, for any part of it may be one of a password.
func FuzzURL(f *testing.F) {
	for _, url := range []string{"", "redis://:hunter2@127.0.0.1:6379/0", "redis://:hunter2/x@h:1/0", "redis://u:hunter2%zz@h", "redis://:hunter2@h:1/x",
		"hunter2", "rediss://h/0?skip_verify=hunter2", "redis://h?hunter2=1", "unix:///hunter2?db=hunter2", "redis://h:hunter2", "\x7f"} {
		f.Add(url)
	}
	_, said := parseURL("")
	if said == nil {
		f.Fatal("an empty URL is taken")
	}
	f.Fuzz(func(t *testing.T, url string) {
		if _, err := parseURL(url); err != nil && err.Error() != said.Error() {
			t.Errorf("it says %q", err)
		}
	})
}

package api

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"unicode/utf16"
)

// hostileBodies are bodies that are no JSON object, or a hostile one.
func hostileBodies(t *testing.T) []hostile {
	t.Helper()
	var rows []hostile
	row := func(name, path, body string, status int, code string, lines ...string) {
		rows = append(rows, hostile{name: "body: " + name, request: sent(t, "POST", base+path, body, lines...), status: status, code: code})
	}
	var zipped, wide bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(bytes.Repeat([]byte(" "), 10<<20)) // 10 MiB in 10 KiB
	_ = w.Close()
	for _, unit := range utf16.Encode([]rune(`{"type":"x"}`)) {
		wide.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	nested := func(open, inner, close string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(close, n)
	}
	for _, tc := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"empty", "", 400, "malformed-body"},
		{"NUL", "\x00", 400, "malformed-body"},
		{"NUL after the object", "{}\x00", 400, "malformed-body"},
		{"byte order mark", "\ufeff{}", 400, "malformed-body"},
		{"UTF-16", wide.String(), 400, "malformed-body"},
		{"UTF-7", "+AHs-+AH0-", 400, "malformed-body"},
		{"not UTF-8", "{\"type\":\"\xff\xfe\"}", 400, "malformed-body"},
		{"overlong UTF-8", "{\"type\":\"\xc0\xaf\"}", 400, "malformed-body"},
		{"surrogates as bytes", "{\"type\":\"\xed\xa0\x80\"}", 400, "malformed-body"},
		{"half a character", "{\"type\":\"\xe3\x81\"}", 400, "malformed-body"},
		{"two objects", "{}{}", 400, "malformed-body"},
		{"two lines", "{}\n{}", 400, "malformed-body"},
		{"a brace too many", "{}}", 400, "malformed-body"},
		{"a comment", `{"delay_seconds":1/**/}`, 400, "malformed-body"},
		{"single quotes", `{'type':'x'}`, 400, "malformed-body"},
		{"a comma too many", `{"type":"x",}`, 400, "malformed-body"},
		{"names without quotes", `{type:"x"}`, 400, "malformed-body"},
		{"NaN", `{"delay_seconds":NaN}`, 400, "malformed-body"},
		{"Infinity", `{"delay_seconds":-Infinity}`, 400, "malformed-body"},
		{"hexadecimal", `{"delay_seconds":0x10}`, 400, "malformed-body"},
		{"a leading zero", `{"delay_seconds":010}`, 400, "malformed-body"},
		{"a bare newline in a string", "{\"type\":\"a\nb\"}", 400, "malformed-body"},
		{"an array", `[{}]`, 400, "malformed-body"},
		{"null", `null`, 400, "malformed-body"},
		{"a number", `1e309`, 400, "malformed-body"},
		{"XML", `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, 400, "malformed-body"},
		{"a form", `type=x&delay_seconds=0`, 400, "malformed-body"},
		{"Redis' protocol", "*1\r\n$8\r\nFLUSHALL\r\n", 400, "malformed-body"},
		{"a field twice", `{"type":"x","type":"y"}`, 400, "duplicate-field"},
		{"a field twice, once escaped", `{"type":"x","ty\u0070e":"y"}`, 400, "duplicate-field"},
		{"a field in capitals", `{"TYPE":"x"}`, 400, "unknown-field"},
		{"a field with a look-alike", "{\"qu\u0435ue\":\"x\"}", 400, "unknown-field"},
		{"a field with a NUL", `{"type\u0000":"x"}`, 400, "unknown-field"},
		{"__proto__", `{"__proto__":{"scope":"jobs:admin"}}`, 400, "unknown-field"},
		{"fields of the record", `{"expires_ms":0,"created":0}`, 400, "unknown-field"},
		{"a field of 100 KiB", `{"` + strings.Repeat("x", 100<<10) + `":1}`, 400, "unknown-field"},
		{"20,000 fields", `{` + strings.Repeat(`"x":1,`, 20_000) + `"y":1}`, 400, "unknown-field"},
		{"60,000 arrays in each other", `{"payload":` + nested("[", "", "]", 60_000) + `}`, 422, "invalid-job"},
		{"1,001 arrays in each other", `{"payload":` + nested("[", "", "]", 1001) + `}`, 422, "invalid-job"},
		{"10,000 objects in each other", `{"payload":` + nested(`{"a":`, "1", "}", 10_001) + `}`, 422, "invalid-job"},
		{"arrays that never end", `{"payload":` + strings.Repeat("[", 100_000), 422, "invalid-job"},
		{"an unknown field, deep", `{"x":` + strings.Repeat("[", 100_000), 400, "unknown-field"},
		{"gzip without saying so", zipped.String(), 400, "malformed-body"},
		{"one byte too many", `{}` + strings.Repeat(" ", 128<<10-1), 413, "body-too-large"},
	} {
		row(tc.name, "/register", tc.body, tc.status, tc.code)
	}
	for _, line := range []string{"Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br", "Content-Encoding: identity, gzip", "Content-Encoding: x"} {
		row(line, "/register", zipped.String(), 415, "unsupported-media-type", line)
	}
	for _, line := range []string{"Content-Type:", "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=x",
		"Content-Type: application/json, text/plain", "Content-Type: application/json/x", "Content-Type: application/problem+json", "Content-Type: */*"} {
		row(line, "/register", `{}`, 415, "unsupported-media-type", line)
	}
	for name, tc := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"bulk of nothing":           {`{"jobs":[]}`, 422, "invalid-job"},
		"bulk of an object":         {`{"jobs":{"0":{}}}`, 422, "invalid-job"},
		"bulk without jobs":         {`{}`, 422, "invalid-job"},
		"bulk of 1,001":             {`{"jobs":[` + strings.Repeat("{},", 1000) + `{}]}`, 422, "invalid-job"},
		"bulk of a million numbers": {`{"jobs":[` + strings.Repeat("0,", 1_000_000) + `0]}`, 422, "invalid-job"},
		"bulk, deep":                {`{"jobs":` + strings.Repeat("[", 1_000_000) + `}`, 422, "invalid-job"},
		"bulk twice":                {`{"jobs":[{}],"jobs":[{}]}`, 400, "duplicate-field"},
		"bulk of no objects":        {`{"jobs":[1,null,"x",[],true]}`, 200, ""}, // a problem for each
		"bulk of bad jobs":          {`{"jobs":[{"type":"{}"},{"x":1},{"type":"a","type":"b"},{"job_id":"mine"}]}`, 200, ""},
		"bulk, one byte too many":   {`{"jobs":[]}` + strings.Repeat(" ", 4<<20), 413, "body-too-large"},
	} {
		row(name, "/register/bulk", tc.body, tc.status, tc.code)
	}
	return rows
}

// hostileFields are JSON objects with values that cannot be taken.
func hostileFields(t *testing.T) []hostile {
	t.Helper()
	var rows []hostile
	for _, body := range []string{
		`{"delay_seconds":1e309}`, `{"delay_seconds":1e2}`, `{"delay_seconds":1.0}`, `{"delay_seconds":-1}`, `{"delay_seconds":18446744073709551616}`,
		`{"delay_seconds":-9223372036854775809}`, `{"delay_seconds":9007199254740993}`, `{"delay_seconds":"0"}`, `{"delay_seconds":true}`, `{"delay_seconds":[0]}`,
		`{"delay_seconds":` + strings.Repeat("9", 100_000) + `}`, `{"max_retry":1e309}`, `{"max_retry":-1}`, `{"max_retry":4294967296}`,
		`{"queue":"{default}"}`, `{"queue":"a}b{c"}`, `{"queue":"a\nb"}`, `{"queue":"a\u0000"}`, `{"queue":"a:b"}`, `{"queue":"../x"}`, `{"queue":"*"}`, `{"queue":""}`,
		`{"queue":" default"}`, `{"queue":"Default"}`, "{\"queue\":\"d\u00e9faut\"}", "{\"queue\":\"\uff44efault\"}", `{"queue":"\ud800"}`, `{"queue":"` + strings.Repeat("q", 65) + `"}`,
		`{"queue":["default"]}`, `{"queue":{"$ne":""}}`, `{"type":"a b"}`, `{"type":"a\r\nSET x y"}`, `{"type":"{x}"}`, `{"type":"\u202egnp.x"}`, `{"type":"x","message":"m"}`,
		`{"job_id":"a b"}`, `{"job_id":"a\nb"}`, `{"job_id":"\u0000"}`, `{"job_id":""}`, `{"job_id":".."}`, "{\"job_id\":\"\u00e9\"}", `{"job_id":"` + strings.Repeat("x", 129) + `"}`, `{"job_id":7}`,
		`{"run_at":"now"}`, `{"run_at":"0000-00-00T00:00:00Z"}`, `{"run_at":"99999-01-01T00:00:00Z"}`, `{"run_at":"2999-01-01T00:00:00Z"}`, `{"run_at":1e309}`, `{"run_at":"2030-01-01T00:00:00Z","delay_seconds":0}`,
		`{"timeout_seconds":-1}`, `{"timeout_seconds":99999999999999999999}`, `{"retention_seconds":-1}`, `{"expires_in_seconds":1e309}`, `{"expires_in_seconds":0.5}`,
		`{"metadata":[]}`, `{"metadata":{"a":1}}`, `{"metadata":{"a":{"b":"c"}}}`, `{"metadata":{"a":"x","a":"y"}}`, `{"metadata":{"":"x"}}`, `{"metadata":{"a":"` + strings.Repeat("x", 257) + `"}}`,
		`{"metadata":{"` + strings.Repeat("k", 65) + `":"x"}}`,
		`{"metadata":{"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","10":"","11":"","12":"","13":"","14":"","15":"","16":"","17":""}}`,
		`{"unique":"key"}`, `{"unique":{"key":"a b","until":"done"}}`, `{"unique":{"key":"a\"b","until":"done"}}`, `{"unique":{"key":"","until":"done"}}`, `{"unique":{"key":"k","until":"never"}}`,
		`{"unique":{"key":"k","until":1e309}}`, `{"unique":{"key":"k","until":-1}}`, `{"unique":{"key":"k","until":"done","x":1}}`, `{"unique":{"key":"k","key":"l","until":"done"}}`,
		`{"backoff":{}}`, `{"backoff":{"kind":"random"}}`, `{"backoff":{"kind":"fixed","seconds":-1}}`, `{"backoff":{"kind":"exponential","base_seconds":1e309,"cap_seconds":1}}`,
		`{"backoff":{"kind":"list","seconds":[]}}`, `{"backoff":{"kind":"list","seconds":[` + strings.Repeat("1,", 100) + `1]}}`, `{"backoff":{"kind":"list","seconds":[[1]]}}`, `{"backoff":{"kind":"fixed","seconds":0.0001}}`,
		`{"payload":"` + strings.Repeat("x", 64<<10) + `","type":"x"}`, `{"message":7}`,
	} {
		rows = append(rows, hostile{name: "field: " + body[:min(len(body), 70)], request: sent(t, "POST", pathRegister, body), status: 422, code: "invalid-job"})
	}
	for name, key := range map[string]string{"empty": `""`, "open": `"a`, "two strings": `"a" "b"`, "with a parameter": `"a";b=1`, "with a blank": `a b`, "not ASCII": "\"\u00e9\"", "with a tab": "\"a\tb\"",
		"with an escape that there is not": `"a\n"`, "of 129 characters": strings.Repeat("k", 129), "two": "a\r\nIdempotency-Key: b", "two in one": "a, b"} {
		rows = append(rows, hostile{name: "key: " + name, status: 400, code: "invalid-idempotency-key", request: sent(t, "POST", pathRegister, `{}`, "Idempotency-Key: "+key)})
	}
	return append(rows,
		hostile{name: "key: of another request", status: 422, code: "idempotency-conflict", request: sent(t, "POST", pathRegister, `{"delay_seconds":0}`, "Idempotency-Key: used")},
		hostile{name: "an id that is taken", status: 409, code: "job-exists", request: sent(t, "POST", pathRegister, `{"job_id":"mine","delay_seconds":0}`)},
		hostile{name: "a unique key that is held", status: 409, code: "unique-conflict", request: sent(t, "POST", pathRegister, `{"unique":{"key":"held","until":"start"}}`)},
		hostile{name: "reschedule to 1e309", status: 422, code: "invalid-job", request: sent(t, "POST", base+"/jobs/mine/reschedule", `{"delay_seconds":1e309}`)},
		hostile{name: "reschedule to two times", status: 422, code: "invalid-job", request: sent(t, "POST", base+"/jobs/mine/reschedule", `{"delay_seconds":0,"run_at":"2030-01-01T00:00:00Z"}`)},
		hostile{name: "edit of the id", status: 400, code: "unknown-field", request: sent(t, "PATCH", base+"/jobs/mine", `{"job_id":"yours"}`)},
		hostile{name: "edit to a deep payload", status: 422, code: "invalid-job", request: sent(t, "PATCH", base+"/jobs/mine", `{"payload":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`)},
		hostile{name: "edit of a number as metadata", status: 422, code: "invalid-job", request: sent(t, "PATCH", base+"/jobs/mine", `{"metadata":7}`)},
		hostile{name: "purge of what runs", status: 422, code: "invalid-job", request: sent(t, "POST", base+"/queues/default/purge", `{"state":"processing"}`)},
		hostile{name: "purge with a limit of 1e309", status: 422, code: "invalid-job", request: sent(t, "POST", base+"/queues/default/purge", `{"state":"scheduled","limit":1e309}`)},
		hostile{name: "purge of the future", status: 422, code: "invalid-job", request: sent(t, "POST", base+"/queues/default/purge", `{"state":"scheduled","older_than_seconds":-1}`)},
		hostile{name: "purge without a body", status: 400, code: "malformed-body", request: sent(t, "POST", base+"/queues/default/purge", ``)},
	)
}

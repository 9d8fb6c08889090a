package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// record is the JSON of a job in Redis. It repeats neither id nor queue nor defaults. What scripts look at in every claim comes
// first, so that one byte tells whether there is any of it; the payload comes last, so that the rest is read without decoding it.
type record struct {
	ExpiresMS int64           `json:"expires_ms,omitempty"`
	Unique    string          `json:"unique,omitempty"`
	Until     json.RawMessage `json:"until,omitempty"` // "start", "done" or ms
	Type      string          `json:"type"`
	MaxRetry  *int            `json:"max_retry,omitempty"`
	TimeoutMS int64           `json:"timeout_ms,omitempty"`
	Created   int64           `json:"created,omitempty"` // Unix ms; only where the id is not a UUIDv7, which tells it

	RetentionMS int64             `json:"retention_ms,omitempty"`
	Backoff     *Backoff          `json:"backoff,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Subject     string            `json:"subject,omitempty"`
	TraceParent string            `json:"traceparent,omitempty"`

	Payload json.RawMessage `json:"payload,omitempty"`
}

// encode makes the record of a normalized job. People read records with redis-cli, so nothing in it is escaped without need.
func (j NewJob) encode(now time.Time) string {
	b := make([]byte, 0, 96+len(j.Payload))
	b = append(append(append(j.encodeFirst(b), `"type":"`...), j.Type...), '"')
	switch j.MaxRetry {
	case 0, DefaultMaxRetry: // the default is not repeated
	default:
		b = strconv.AppendInt(append(b, `,"max_retry":`...), int64(max(0, j.MaxRetry)), 10)
	}
	if j.Timeout > 0 {
		b = strconv.AppendInt(append(b, `,"timeout_ms":`...), max(1, j.Timeout.Milliseconds()), 10)
	}
	if id, err := uuid.Parse(j.ID); err != nil || id.Version() != 7 {
		b = strconv.AppendInt(append(b, `,"created":`...), now.UnixMilli(), 10)
	}
	b = j.encodeSpecial(b)
	if j.Payload != nil {
		b = append(append(b, `,"payload":`...), j.Payload...)
	}
	return string(append(b, '}'))
}

// encodeFirst begins a record with what claim has to look at.
func (j *NewJob) encodeFirst(b []byte) []byte {
	b = append(b, '{')
	if j.Expires > 0 {
		b = append(strconv.AppendInt(append(b, `"expires_ms":`...), delayMS(j.Expires), 10), ',')
	}
	if u := j.Unique; u != nil {
		b = append(append(append(b, `"unique":"`...), u.Key...), `","until":`...)
		if u.Until == "" {
			b = strconv.AppendInt(b, delayMS(u.For), 10)
		} else {
			b = append(append(append(b, '"'), u.Until...), '"')
		}
		b = append(b, ',')
	}
	return b
}

// encodeSpecial writes the rest of what most jobs do not have.
func (j *NewJob) encodeSpecial(b []byte) []byte {
	if j.Retention > 0 {
		b = strconv.AppendInt(append(b, `,"retention_ms":`...), delayMS(j.Retention), 10)
	}
	if j.Backoff != nil {
		b = appendJSON(append(b, `,"backoff":`...), j.Backoff)
	}
	if len(j.Metadata) > 0 {
		text := appendJSON(nil, j.Metadata)
		text = bytes.ReplaceAll(text, []byte(`"payload":`), []byte(`"\u0070ayload":`)) // scripts take it for the end of the scalars
		b = append(append(b, `,"metadata":`...), text...)
	}
	if j.Subject != "" {
		b = appendJSON(append(b, `,"subject":`...), j.Subject)
	}
	if j.TraceParent != "" {
		b = appendJSON(append(b, `,"traceparent":`...), j.TraceParent)
	}
	return b
}

// appendJSON appends a value of which there is always JSON, as people read it.
func appendJSON(b []byte, value any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)
	return append(b, bytes.TrimRight(text.Bytes(), "\n")...)
}

// decodeJob reads a record. A record that cannot be read is an error; the job then has only its id and queue.
func decodeJob(queue, id, text string) (Job, error) {
	j := Job{ID: id, Queue: queue, MaxRetry: DefaultMaxRetry}
	r, ok := readRecord(text)
	if !ok { // another hand has written it, or a later version
		var other record // of its own, or r would be allocated each time
		if err := json.Unmarshal([]byte(text), &other); err != nil {
			return j, fmt.Errorf("record of job %s is not JSON: %w", id, err)
		}
		r = other
		j.Expires, j.Retention = time.Duration(r.ExpiresMS)*time.Millisecond, time.Duration(r.RetentionMS)*time.Millisecond
		j.Backoff, j.Metadata, j.Subject, j.TraceParent = r.Backoff, r.Metadata, r.Subject, r.TraceParent
		j.Unique = r.uniqueness()
	}
	j.Type, j.Payload, j.Timeout = r.Type, r.Payload, time.Duration(r.TimeoutMS)*time.Millisecond
	if r.MaxRetry != nil {
		j.MaxRetry = *r.MaxRetry
	}
	if u, err := uuid.Parse(id); err == nil && u.Version() == 7 {
		sec, nsec := u.Time().UnixTime()
		j.Created = time.Unix(sec, nsec)
	} else if r.Created > 0 {
		j.Created = time.UnixMilli(r.Created)
	}
	return j, nil
}

// uniqueness is what the record says of a unique key; nil for nothing that makes sense.
func (r *record) uniqueness() *Unique {
	u := Unique{Key: r.Unique}
	switch until := string(r.Until); until {
	case `"` + UntilStart + `"`, `"` + UntilDone + `"`:
		u.Until = strings.Trim(until, `"`)
	default:
		u.For = time.Duration(millis(until)) * time.Millisecond
	}
	if u.Key == "" || u.Until == "" && u.For <= 0 {
		return nil
	}
	return &u
}

// readRecord reads a record that looks just as encode writes it, in a sixth of the time that any other JSON takes. What it
// takes it takes as json.Unmarshal would.
func readRecord(text string) (r record, ok bool) {
	rest, ok := strings.CutPrefix(text, `{"type":"`)
	if !ok {
		return r, false
	}
	if r.Type, rest, ok = strings.Cut(rest, `"`); !ok || !isJobType(r.Type) {
		return r, false
	}
	if n, after, found := number(rest, `,"max_retry":`); found {
		retries := int(n)
		r.MaxRetry, rest = &retries, after
	}
	if n, after, found := number(rest, `,"timeout_ms":`); found {
		r.TimeoutMS, rest = n, after
	}
	if n, after, found := number(rest, `,"created":`); found {
		r.Created, rest = n, after
	}
	if payload, found := strings.CutPrefix(rest, `,"payload":`); found && len(payload) > 1 {
		r.Payload = json.RawMessage(payload[:len(payload)-1])
		return r, payload[len(payload)-1] == '}' && payload[0] > ' ' && payload[len(payload)-2] > ' ' && json.Valid(r.Payload)
	}
	return r, rest == "}"
}

// number cuts a name and a natural number of at most 18 digits off the front of text.
func number(text, name string) (n int64, rest string, found bool) {
	digits, found := strings.CutPrefix(text, name)
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	if !found || end == 0 || end > 18 || end > 1 && digits[0] == '0' {
		return 0, text, false
	}
	n, err := strconv.ParseInt(digits[:end], 10, 64)
	return n, digits[end:], err == nil
}

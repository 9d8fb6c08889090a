package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// form turns the members of a body into values and notes each one that is wrong. Whatever the queue checks by itself is left
// to it: a value that is out of range is handed on out of range, to be refused in the queue's own words.
type form struct {
	members map[string]json.RawMessage
	names   []string // of all fields of the route
	bad     []fieldError

	maxDelay time.Duration // 0: that of the queue
}

func (f *form) refuse(field, detail string) { f.bad = append(f.bad, fieldError{"/" + field, detail}) }

func (f *form) has(field string) bool {
	_, ok := f.members[field]
	return ok
}

// name returns a field that names something; "" if it is absent. An empty one becomes a blank, which the queue refuses: it
// would take "" for its default.
func (f *form) name(field string) string {
	raw, ok := f.members[field]
	if !ok {
		return ""
	}
	s, ok := f.text(field, raw)
	if ok && s == "" {
		return " "
	}
	return s
}

func (f *form) text(field string, raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		f.refuse(field, "must be a string")
		return "", false
	}
	return s, true
}

// integer returns a field that is an integer, see number.
func (f *form) integer(field string, absent, limit int64) int64 {
	if raw, ok := f.members[field]; ok {
		return f.number(field, raw, absent, limit)
	}
	return absent
}

// number reads an integer, cut to -1 and limit + 1, so that no arithmetic on it can overflow. 1.0, 1e2 and "1" are no integers:
// what looks like a mistake is not guessed at. field may be a path.
func (f *form) number(field string, raw json.RawMessage, wrong, limit int64) int64 {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // a number that is too big comes back as the biggest there is
		f.refuse(field, "must be an integer, without quotes, fraction or exponent")
		return wrong
	}
	return min(max(n, -1), limit+1)
}

// seconds reads a number of seconds, to the millisecond, cut to just below 0 and just above queue.MaxDelay. field may be a path.
func (f *form) seconds(field string, raw json.RawMessage) time.Duration {
	whole, fraction, _ := strings.Cut(string(raw), ".")
	negative := strings.HasPrefix(whole, "-")
	n, err := strconv.ParseUint(strings.TrimPrefix(whole, "-"), 10, 64)
	ms, msErr := strconv.ParseUint((fraction + "000")[:3], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || msErr != nil || len(fraction) > 3 {
		f.refuse(field, "must be a number of seconds such as 30 or 0.5, with at most 3 decimals, without quotes or exponent")
		return time.Second // any that is not refused once more
	}
	d := time.Duration(min(n, uint64(queue.MaxDelay/time.Second)+1))*time.Second + time.Duration(ms)*time.Millisecond
	if negative && d > 0 {
		return -time.Millisecond
	}
	return d
}

// whole returns a field that is a whole number of seconds.
func (f *form) whole(field string, absent int64) time.Duration {
	return time.Duration(f.integer(field, absent, int64(queue.MaxDelay/time.Second))) * time.Second
}

// moment returns a field that is a time; zero if it is absent.
func (f *form) moment(field string) (t time.Time) {
	raw, ok := f.members[field]
	if !ok {
		return t
	}
	if s, ok := f.text(field, raw); ok && t.UnmarshalText([]byte(s)) != nil {
		f.refuse(field, "must be a time by RFC 3339 such as 2030-01-31T12:00:00Z")
	}
	return t
}

// object returns the members of a field that is an object.
func (f *form) object(field string, names ...string) (map[string]json.RawMessage, bool) {
	raw, ok := f.members[field]
	if !ok {
		return nil, false
	}
	members, err := parseObject(raw, names)
	var wrong *refusal
	switch {
	case err == nil:
		return members, true
	case errors.As(err, &wrong) && !errors.Is(err, errMalformed):
		f.refuse(field, "must be right: "+wrong.detail)
	default:
		f.refuse(field, "must be a JSON object with the fields "+strings.Join(names, ", "))
	}
	return nil, false
}

// texts returns a field that is an object of strings; nil if it is absent or has none.
func (f *form) texts(field string) map[string]string {
	raw, ok := f.members[field]
	if !ok {
		return nil
	}
	all, err := parseTexts(raw)
	if err != nil {
		f.refuse(field, err.Error())
	}
	return all
}

func parseTexts(raw json.RawMessage) (map[string]string, error) {
	wrong := errors.New("must be an object of strings, each name once")
	dec := json.NewDecoder(bytes.NewReader(raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, wrong
	}
	var all map[string]string
	for dec.More() {
		token, err := dec.Token()
		name, _ := token.(string)
		if _, twice := all[name]; err != nil || twice {
			return nil, wrong
		}
		value, err := dec.Token()
		text, ok := value.(string)
		if err != nil || !ok {
			return nil, wrong
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = text
	}
	if _, err := dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return nil, wrong
	}
	return all, nil
}

// payload returns the payload as it was given, nil if there is none.
func (f *form) payload() json.RawMessage {
	raw := f.members["payload"]
	if _, deep := tooDeep(raw, maxNesting); deep {
		f.refuse("payload", nestingDetail)
		return nil
	}
	if len(raw) > maxText {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil || compact.Len() > maxText {
			f.refuse("payload", fmt.Sprintf("must be at most %d bytes of compact JSON", maxText))
			return nil
		}
	}
	return raw
}

// maxRetry returns what queue.NewJob calls it.
func (f *form) maxRetry() int {
	switch n := f.integer("max_retry", queue.DefaultMaxRetry, queue.MaxRetryLimit); {
	case n == 0:
		return queue.NoRetry
	case n < 0:
		return queue.NoRetry - 1
	default:
		return int(n)
	}
}

// check puts together what the form and the queue refuse, one entry a field; nil if neither refuses anything.
func (f *form) check(err error) error {
	if err == nil && len(f.bad) == 0 {
		return nil
	}
	eachInvalid(err, func(e *queue.InvalidError) {
		field := e.Field
		if field == "payload" && !f.has("payload") {
			field = "message" // the payload was made of it
		}
		part := func(b fieldError) bool { return b.Pointer == "/"+field || strings.HasPrefix(b.Pointer, "/"+field+"/") }
		if slices.Contains(f.names, field) && !slices.ContainsFunc(f.bad, part) {
			f.refuse(field, e.Reason)
		}
	})
	if len(f.bad) == 0 { // none of the fields of this route: not the client's mistake
		return fmt.Errorf("the queue refuses what no field sets: %s", err)
	}
	slices.SortFunc(f.bad, func(a, b fieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return &invalidJob{f.bad}
}

// of is check for an error that need not be of a field.
func (f *form) of(err error) error {
	if errors.Is(err, queue.ErrInvalid) {
		return f.check(err)
	}
	return err
}

// eachInvalid visits every *queue.InvalidError in a tree of errors; errors.As would stop at the first.
func eachInvalid(err error, visit func(*queue.InvalidError)) {
	switch e := err.(type) {
	case *queue.InvalidError:
		visit(e)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			eachInvalid(err, visit)
		}
	case interface{ Unwrap() error }:
		eachInvalid(e.Unwrap(), visit)
	}
}

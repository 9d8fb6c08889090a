package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// special is what the script must know of a job that is not just due after a delay.
type special struct {
	at          int64  // due time in ms; 0: after the delay
	idempotency string // hash of the key; "": none
	request     string // what that key is to hold
	key         string // unique; "": none
	until       string // as the script has it
	first       string // id of the job that an earlier request with this idempotency key has made; "" until then
}

// special is nil for a plain job.
func (j *NewJob) special() *special {
	if j.At.IsZero() && j.Unique == nil && j.Idempotency == nil {
		return nil
	}
	s := &special{}
	if !j.At.IsZero() { // up: a job must not be early by the rest of a millisecond
		s.at = max(1, j.At.Add(time.Millisecond-1).UnixMilli())
	}
	if i := j.Idempotency; i != nil {
		s.idempotency = hashOf(i.Scope + "\x00" + i.Key)
		s.request = string(appendJSON(nil, struct {
			ID      string `json:"id"`
			Request string `json:"request"`
		}{j.ID, i.Request}))
	}
	if u := j.Unique; u != nil {
		if s.key, s.until = u.Key, u.Until; u.Until == "" {
			s.until = strconv.FormatInt(delayMS(u.For), 10)
		}
	}
	return s
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// plainJobs is how many of the jobs, from the first on, are plain. Those behind are sent as special ones, whatever they are: the
// order of a call is kept.
func plainJobs(jobs []*pending) int {
	if n := slices.IndexFunc(jobs, func(p *pending) bool { return p.special != nil }); n >= 0 {
		return n
	}
	return len(jobs) // which is the rule
}

// addSpecial adds a job to a call, as a special one.
func (x *call) addSpecial(k keys, p *pending) {
	s := p.special
	if s == nil {
		s = &special{}
	}
	delay, at, idempotency, uniqueFor := any(delayMS(p.delay)), any(""), any(""), any("")
	if s.at != 0 {
		delay, at = "", s.at
	}
	if s.idempotency != "" {
		x.keys = append(x.keys, k.idempotency(s.idempotency))
		idempotency = len(x.keys)
	}
	if s.key != "" {
		x.keys = append(x.keys, k.uniqueFor(hashOf(s.key)))
		uniqueFor = len(x.keys)
	}
	x.args = append(x.args, &p.id, &p.record, delay, at, idempotency, &s.request, &s.key, uniqueFor, &s.until)
}

// take gives the job the answer that a word of the script is: now is when it ran, created and exists are what is to be said of a job
// that was written, and of one that was there.
func (p *pending) take(word string, now int64, created, exists error) {
	kind, id, _ := strings.Cut(word, ":")
	switch kind {
	case "exists":
		p.answer(time.Time{}, exists)
	case "replayed":
		p.special.first = id
		if errors.Is(exists, ErrExists) {
			exists = nil
		}
		p.answer(time.Time{}, exists)
	case "conflict":
		p.answer(time.Time{}, ErrConflict)
	case "unique":
		p.answer(time.Time{}, &UniqueError{id})
	case "full":
		p.answer(time.Time{}, ErrQueueFull)
	default:
		due := now + delayMS(p.delay)
		if p.special != nil {
			due = max(due, p.special.at)
		}
		p.answer(time.UnixMilli(due), created)
	}
}

// found says whether a word tells of a job that was there before: who wrote it may not have waited until it was confirmed.
func found(word string) bool { return word == "exists" || strings.HasPrefix(word, "replayed:") }

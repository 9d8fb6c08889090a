package ui

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/punctualq/punctual/queue"
)

// notice is what a page says of the action that led to it. Its words stand here, and only its code and numbers in the address:
// nobody can put words of his own onto a page by a link.
type notice struct {
	Code       string
	N          int // to how many it was done
	Not        int // to how many it was not
	Unreadable int // to how many it was not, since nothing could run their records
}

var noticeNames = []string{"notice", "n", "not", "unreadable"}

func (n notice) query() url.Values {
	q := url.Values{"notice": {n.Code}}
	if n.N > 0 {
		q.Set("n", strconv.Itoa(n.N))
	}
	if n.Not > 0 {
		q.Set("not", strconv.Itoa(n.Not))
	}
	if n.Unreadable > 0 {
		q.Set("unreadable", strconv.Itoa(n.Unreadable))
	}
	return q
}

// noticeOf reads the notice from an address; nil if there is none that is known.
func noticeOf(q url.Values) *notice {
	n := notice{Code: q.Get("notice"), N: natural(q.Get("n")), Not: natural(q.Get("not")), Unreadable: natural(q.Get("unreadable"))}
	if _, ok := noticeWords[n.Code]; !ok {
		return nil
	}
	return &n
}

func natural(text string) int {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// noticeWords are all notices: good news, unless what stands first says otherwise.
var noticeWords = map[string]struct{ kind, one, many string }{
	"run":         {"ok", "The job is due now.", "# jobs are due now."},
	"reschedule":  {"ok", "The job has its new due time.", "# jobs have their new due time."},
	"cancel":      {"ok", "The job was cancelled.", "# jobs were cancelled."},
	"cancelling":  {"ok", "The job is being cancelled: its handler is told, and it will not be retried.", "# jobs were cancelled; those that run are told to end."},
	"redrive":     {"ok", "The job is scheduled again, due now.", "# jobs are scheduled again, due now."},
	"purge":       {"ok", "The job was dropped for good.", "# jobs were dropped for good."},
	"edit":        {"ok", "The job was changed.", ""},
	"edit-same":   {"ok", "Nothing was different: the job is as it was.", ""},
	"pause":       {"ok", "The queue is paused: nothing more is claimed from it; what runs goes on.", ""},
	"resume":      {"ok", "The queue is resumed.", ""},
	"quiet":       {"ok", "The worker is told to claim nothing more. What it runs goes on.", ""},
	"stop":        {"ok", "The worker's process is told to shut down in order.", ""},
	"none":        {"warn", "Nothing was selected, so nothing was done.", ""},
	"nothing":     {"warn", "No job matched any more: nothing was done.", ""},
	"no-time":     {"bad", "That is no time: write a delay such as 90s, 15m, 2h or 3d, or a time such as 2027-01-31T12:00:00Z. Nothing was rescheduled.", ""},
	"far":         {"bad", "A job may be due 10 years from now at most. Nothing was rescheduled.", ""},
	"bad-json":    {"bad", "The payload is no JSON: nothing was changed. Go back to find what you wrote.", ""},
	"bad-meta":    {"bad", "The metadata must be a JSON object whose values are texts, at most 16 of them. Nothing was changed.", ""},
	"bad-retry":   {"bad", "The retries must be a number from 0 to 1000. Nothing was changed.", ""},
	"unreadable":  {"bad", "Nothing could run what the record of this job holds now, so it stays as it is. Purge it, or look at it in Redis.", ""},
	"edit-moved":  {"bad", "Somebody else has changed this job since the form was shown: nothing was changed. What you see is how it is now.", ""},
	"invalid":     {"bad", "This cannot be taken: nothing was changed.", ""},
	"gone":        {"bad", "No job has that id any more: it is done, cancelled or trimmed.", ""},
	"scheduled":   {"bad", "The job is scheduled now, and in that state this cannot be done. Nothing was changed.", ""},
	"processing":  {"bad", "The job is processing now, and in that state this cannot be done. Nothing was changed.", ""},
	"dead":        {"bad", "The job is dead now, and in that state this cannot be done. Nothing was changed.", ""},
	"done":        {"bad", "The job is done now, and in that state this cannot be done. Nothing was changed.", ""},
	"unavailable": {"bad", "Redis does not answer, or does not take this now. Do it again later: what is done already is not done twice.", ""},
	"unknown":     {"bad", "Redis did not answer in time: it may have been done, or not. Look at the job, and do it again if it was not.", ""},
	"full":        {"bad", "Redis is out of memory and took nothing. Make room, or raise maxmemory.", ""},
	"gone-queue":  {"bad", "Nothing was ever put into a queue of that name.", ""},
	"gone-worker": {"bad", "No worker has that id any more.", ""},
	"fault":       {"bad", "Something went wrong: the server's log says more.", ""},
}

// Kind is ok, warn or bad.
func (n notice) Kind() string {
	if kind := noticeWords[n.Code].kind; kind != "ok" || n.Not+n.Unreadable == 0 {
		return kind
	}
	return "warn"
}

// Text is the notice in words.
func (n notice) Text() string {
	words := noticeWords[n.Code]
	text := words.one
	switch {
	case words.kind == "bad" && n.N > 0:
		text += replaceCount(" Before that it was done to #.", n.N)
	case words.many != "" && n.N != 1 && (n.N > 0 || n.Not+n.Unreadable > 0):
		text = replaceCount(words.many, n.N)
	}
	switch {
	case n.Not == 1:
		text += " 1 other was not: it is in another state by now, or gone."
	case n.Not > 1:
		text += replaceCount(" # others were not: they are in another state by now, or gone.", n.Not)
	}
	switch {
	case n.Unreadable == 1:
		text += " 1 stays as it is: nothing could run what its record holds now. Purge it, or look at it in Redis."
	case n.Unreadable > 1:
		text += replaceCount(" # stay as they are: nothing could run what their records hold now. Purge them, or look at them in Redis.", n.Unreadable)
	}
	return text
}

// failed is the notice of an action that went wrong.
func failed(err error) notice {
	var state *queue.StateError
	if errors.As(err, &state) {
		return notice{Code: string(state.State)}
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{queue.ErrNotFound, "gone"}, {errUnreadable, "unreadable"}, {queue.ErrNoQueue, "gone-queue"}, {queue.ErrNoWorker, "gone-worker"}, {queue.ErrInvalid, "invalid"},
		{queue.ErrFull, "full"}, {queue.ErrOutcomeUnknown, "unknown"}, {queue.ErrUnavailable, "unavailable"}, {context.DeadlineExceeded, "unknown"},
	} {
		if errors.Is(err, known.err) {
			return notice{Code: known.code}
		}
	}
	return notice{Code: "fault"}
}

package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/punctualq/punctual/queue"
)

// atOnce is how many jobs of one request are changed at the same time.
const atOnce = 8

// act answers POST /ui/act: run, reschedule, cancel, redrive or purge, for the jobs that the form names.
func (u *ui) act(v *visit) error {
	form := v.r.PostForm
	name, verb, ids, back := form.Get("queue"), form.Get("verb"), form["id"], ownOrHome(form.Get("back"))
	if err := v.mayTouch(name); err != nil {
		return err
	}
	do, refused, err := u.verb(name, verb, form.Get("when"))
	switch {
	case err != nil:
		return err
	case refused != "":
		return v.back(back, notice{Code: refused})
	case len(ids) == 0:
		return v.back(back, notice{Code: "none"})
	case slices.ContainsFunc(ids, func(id string) bool { return !isJobID(id) }):
		return queue.ErrNotFound
	}
	if len(ids) == 1 {
		v.note.Job = ids[0]
	} else if (verb == "cancel" || verb == "purge") && form.Get("sure") == "" {
		return v.show("sure", "Are you sure?", time.Now(), sureData{name, verb, ids, back})
	}
	done := each(v.ctx, ids, do)
	if v.note.Jobs = done.jobs; done.jobs > 0 {
		deed := queue.Deed{Verb: verb, Queue: name, Target: ids[0], Jobs: done.jobs}
		if len(ids) > 1 {
			deed.Target = fmt.Sprintf("%d selected: %s", len(ids), strings.Join(ids, " ")) // Record cuts it
		}
		v.record(deed)
	}
	n := done.notice(verb, len(ids))
	if done.err != nil {
		n = v.failed(done.err)
		n.N = done.jobs
	}
	if isJobPage(back) && (n.Code == "cancel" || n.Code == "purge") {
		back = jobsFilter{Queue: name, State: filterOf(form).State}.URL() // the job's page is gone
	}
	return v.back(back, n)
}

// sureData is the question before several jobs are dropped or told to end.
type sureData struct {
	Queue, Verb string
	IDs         []string
	Back        string
}

func isJobPage(path string) bool { return strings.HasPrefix(path, "/ui/jobs/") }

// doVerb does something to one job.
type doVerb func(ctx context.Context, id string) (outcome, error)

type outcome struct {
	soft bool      // a job that runs was told to end
	due  time.Time // that it has now; zero if that was not changed
}

// verb finds out what to do; refused is the code of a notice that says why it cannot be done.
func (u *ui) verb(name, verb, text string) (do doVerb, refused string, err error) {
	switch verb {
	case "run":
		return func(ctx context.Context, id string) (outcome, error) {
			due, err := u.Queue.Reschedule(ctx, name, id, queue.When{})
			return outcome{due: due}, err
		}, "", nil
	case "reschedule":
		when, ok := readWhen(text)
		if !ok {
			return nil, "no-time", nil
		}
		if when.In > queue.MaxDelay || time.Until(when.At) > queue.MaxDelay {
			return nil, "far", nil
		}
		return func(ctx context.Context, id string) (outcome, error) {
			due, err := u.Queue.Reschedule(ctx, name, id, when)
			return outcome{due: due}, err
		}, "", nil
	case "cancel":
		return func(ctx context.Context, id string) (outcome, error) {
			was, err := u.Queue.Cancel(ctx, name, id)
			return outcome{soft: was == queue.Processing}, err
		}, "", nil
	case "redrive":
		return func(ctx context.Context, id string) (outcome, error) {
			return outcome{}, u.Queue.Redrive(ctx, name, id)
		}, "", nil
	case "purge":
		return func(ctx context.Context, id string) (outcome, error) {
			return outcome{}, u.Queue.Purge(ctx, name, id)
		}, "", nil
	}
	return nil, "", errVerb
}

// done is what became of some jobs.
type done struct {
	jobs        int   // it was done to
	soft        int   // of these, only told to end
	not         int   // it could not be done to: gone, or in another state
	unreadable  int   // it could not be done to: nothing could run what the record holds
	err         error // what ended it before all were tried, or why the only one was refused
	first, last int64 // due times that were given, Unix ms; 0: none
}

// add counts one more. It tells whether to go on.
func (d *done) add(o outcome, err error, only bool) bool {
	switch {
	case err == nil:
		d.jobs++
		if o.soft {
			d.soft++
		}
		if !o.due.IsZero() {
			due := o.due.UnixMilli()
			if d.last = max(d.last, due); d.first == 0 || due < d.first {
				d.first = due
			}
		}
		return true
	case errors.Is(err, queue.ErrNotFound) || errors.Is(err, queue.ErrState):
		if d.not++; only {
			d.err = err
		}
		return true
	case errors.Is(err, queue.ErrInvalid): // form and query were looked at before: it is the record
		if d.unreadable++; only {
			d.err = errUnreadable
		}
		return true
	}
	d.err = err
	return false
}

// each does something to all ids, some at a time, until Redis fails or ctx ends.
func each(ctx context.Context, ids []string, do doVerb) done {
	going, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var d done
	var running sync.WaitGroup
	work := make(chan string)
	for range min(atOnce, len(ids)) {
		running.Go(func() {
			for id := range work {
				o, err := do(ctx, id)
				mu.Lock()
				if !d.add(o, err, len(ids) == 1) {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	given := 0
	for given < len(ids) && going.Err() == nil {
		select {
		case work <- ids[given]:
			given++
		case <-going.Done():
		}
	}
	close(work)
	running.Wait()
	if d.err == nil && given < len(ids) {
		d.err = ctx.Err()
	}
	return d
}

func (d done) notice(verb string, asked int) notice {
	n := notice{Code: verb, N: d.jobs, Not: d.not, Unreadable: d.unreadable}
	if verb == "cancel" && d.soft > 0 {
		n.Code = "cancelling"
	}
	if asked == 1 {
		n.N = 1
	}
	return n
}

// readWhen reads a delay, such as 90s, 1h30m or 3d, or a time of UTC.
func readWhen(text string) (queue.When, bool) {
	text = strings.TrimSuffix(strings.TrimSpace(text), " UTC")
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return queue.When{At: at}, true
		}
	}
	text = strings.ReplaceAll(text, " ", "")
	in := time.Duration(0)
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 12) // 4095 days are more than any job may wait
		if err != nil {
			return queue.When{}, false
		}
		if in, text = time.Duration(n)*24*time.Hour, rest; rest == "" {
			return queue.When{In: in}, true
		}
	}
	more, err := time.ParseDuration(text)
	return queue.When{In: in + more}, err == nil && more >= 0
}

// steerQueue answers POST /ui/queue: pause or resume.
func (u *ui) steerQueue(v *visit) error {
	name, verb, back := v.r.PostForm.Get("queue"), v.r.PostForm.Get("verb"), ownOrHome(v.r.PostForm.Get("back"))
	if err := v.mayTouch(name); err != nil {
		return err
	}
	do := u.Queue.Pause
	switch verb {
	case "pause":
	case "resume":
		do = u.Queue.Resume
	default:
		return errVerb
	}
	changed, err := do(v.ctx, name)
	if err != nil {
		return v.back(back, v.failed(err))
	}
	if changed {
		v.record(queue.Deed{Verb: verb, Queue: name})
	}
	return v.back(back, notice{Code: verb})
}

// lastWords is how long the trail may take when the time of a request is over: the page still comes within a second.
const lastWords = 150 * time.Millisecond

// record adds to the audit trail. What was done stays done if that fails; the log then tells.
func (v *visit) record(d queue.Deed) {
	d.Who, d.Via = v.caller.Subject, "ui"
	until := time.Now().Add(lastWords) // what was done may have taken all of the request's time
	if end, set := v.ctx.Deadline(); set && end.After(until) {
		until = end
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(v.ctx), until)
	defer cancel()
	if err := v.u.Queue.Record(ctx, d); err != nil {
		v.wrong(fmt.Errorf("audit trail: %s in queue %s is not recorded: %w", d.Verb, d.Queue, err))
	}
}

// wrong is for the log.
func (v *visit) wrong(err error) { v.note.Err = errors.Join(v.note.Err, err) }

// failed is the notice of an error, which the log gets as well if it is no refusal.
func (v *visit) failed(err error) notice {
	n := failed(err)
	switch n.Code {
	case "unavailable", "unknown", "full", "fault":
		v.wrong(err)
	}
	return n
}

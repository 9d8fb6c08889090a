package ui

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// jobData is what the page of one job shows.
type jobData struct {
	Job      queue.Info
	Steps    []chapter
	Payload  string
	Cut      bool // the payload is longer than what is shown
	Facts    []fact
	Metadata []fact
	Commands []string
	Editable string // the payload in the form
	MetaText string
	Was      string // what the form shows, to find out whether that has changed meanwhile
	Here     string
}

// chapter is something that happened to a job, or will.
type chapter struct {
	Kind  string // of the state it led to: scheduled, processing, dead, done; failed
	Title string
	At    *moment
	Where string
	Took  string
	Error string
}

type fact struct{ Name, Value string }

// maxShown is how many bytes of a payload are shown; the form has all of it.
const maxShown = 32 << 10

// job answers GET /ui/jobs/{id}.
func (u *ui) job(v *visit) error {
	name := cmp.Or(v.r.URL.Query().Get("queue"), queue.DefaultQueue)
	if err := v.mayTouch(name); err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if v.note.Job = id; !isJobID(id) {
		v.note.Job = ""
		return queue.ErrNotFound // no job can be called so
	}
	info, err := u.Queue.Get(v.ctx, name, id)
	if n := noticeOf(v.r.URL.Query()); n != nil && errors.Is(err, queue.ErrNotFound) { // what was done to it led here, and it has ended since
		return v.back(jobsFilter{Queue: name, State: string(queue.Scheduled)}.URL(), *n)
	}
	if err != nil && info.ID == "" {
		return err // with an id, its record is one that cannot be read
	}
	now := time.Now()
	d := jobData{Job: info, Steps: stepsOf(info, now), Facts: factsOf(info), Metadata: metadataOf(info), Commands: queue.ReadCommands(info), Here: jobURL(name, id)}
	d.Editable = queue.PrettyPayload(info.Payload)
	if d.Payload = d.Editable; len(d.Payload) > maxShown {
		d.Payload, d.Cut = strings.ToValidUTF8(d.Payload[:maxShown], ""), true
	}
	d.MetaText, d.Was = metaText(info.Metadata), editableOf(info)
	return v.show("job", "Job "+short(48, id), now, d)
}

// isJobID asks the queue, so that the rule stands in one place.
func isJobID(id string) bool { return id != "" && queue.NewJob{ID: id}.Validate() == nil }

// stepsOf is the life of a job as far as it is kept, the latest first.
func stepsOf(info queue.Info, now time.Time) []chapter {
	var steps []chapter
	switch info.State {
	case queue.Scheduled:
		title := "Waits to run"
		if info.Attempts > 0 {
			title = fmt.Sprintf("Waits for attempt %d", info.Attempts+1)
		}
		if info.Due.Before(now) {
			title = "Is due, and waits for a worker"
		}
		steps = append(steps, chapter{Kind: "scheduled", Title: title, At: when(info.Due, now)})
	case queue.Processing:
		title := fmt.Sprintf("Attempt %d runs", max(1, info.Attempts))
		if info.Cancelled {
			title += ", and its handler is told to end: the job was cancelled"
		}
		steps = append(steps, chapter{Kind: "processing", Title: title, Where: info.Worker})
	case queue.Dead:
		steps = append(steps, chapter{Kind: "dead", Title: "Died", At: when(info.Finished, now)})
	case queue.Done:
		steps = append(steps, chapter{Kind: "done", Title: "Done", At: when(info.Finished, now)})
	}
	oldest := info.Attempts + 1
	for _, f := range info.Failures {
		s := chapter{Kind: "failed", Title: "An attempt failed", Where: f.Worker, Error: f.Error}
		if f.Attempt > 0 {
			s.Title, oldest = fmt.Sprintf("Attempt %d failed", f.Attempt), f.Attempt
		}
		if f.At > 0 {
			s.At = when(time.UnixMilli(f.At), now)
		}
		if f.TookMS > 0 {
			s.Took = span(time.Duration(f.TookMS) * time.Millisecond)
		}
		steps = append(steps, s)
	}
	if oldest > 1 && len(info.Failures) > 0 {
		steps = append(steps, chapter{Kind: "", Title: fmt.Sprintf("Of the first %s no error is kept", plural(oldest-1, "attempt"))})
	}
	created := chapter{Kind: "created", Title: "Registered", At: when(info.Created, now)}
	if info.Subject != "" {
		created.Title = "Registered by " + info.Subject
	}
	return append(steps, created)
}

// factsOf are the settings of a job. Defaults are told, too: nobody should have to know them.
func factsOf(info queue.Info) []fact {
	facts := []fact{{"Queue", info.Queue}, {"Type", info.Type}, {"Attempts begun", count(info.Attempts)},
		{"Runs at most", plural(info.MaxRetry+1, "time")}, {"Timeout of a run", "that of the worker"}}
	if info.Timeout > 0 {
		facts[4].Value = span(info.Timeout)
	}
	add := func(name, value string, there bool) {
		if there {
			facts = append(facts, fact{name, value})
		}
	}
	add("Kept when done", span(info.Retention), info.Retention > 0)
	add("Expires, if not started", span(info.Expires)+" after it is due", info.Expires > 0)
	if b := info.Backoff; b != nil {
		text := b.Kind + ", base " + span(b.Base)
		if len(b.Delays) > 0 {
			text = fmt.Sprintf("list of %s", plural(len(b.Delays), "delay"))
		}
		add("Wait before retries", text, true)
	}
	if q := info.Unique; q != nil {
		add("Unique key", q.Key, true)
	}
	add("Trace", info.TraceParent, info.TraceParent != "")
	return facts
}

func metadataOf(info queue.Info) []fact {
	var facts []fact
	for _, name := range slices.Sorted(maps.Keys(info.Metadata)) {
		facts = append(facts, fact{name, info.Metadata[name]})
	}
	return facts
}

func metaText(metadata map[string]string) string {
	if len(metadata) == 0 {
		return "{}"
	}
	text, err := json.MarshalIndent(metadata, "", "  ")
	if err != nil {
		return "{}"
	}
	return string(text)
}

// editableOf tells apart what the form can change.
func editableOf(info queue.Info) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", info.MaxRetry, metaText(info.Metadata), info.Payload))
	return hex.EncodeToString(sum[:8])
}

// edit answers POST /ui/edit: it changes what differs from the job as it is now.
func (u *ui) edit(v *visit) error {
	form := v.r.PostForm
	name, id := form.Get("queue"), form.Get("id")
	if err := v.mayTouch(name); err != nil {
		return err
	}
	here := jobURL(name, id)
	if !isJobID(id) {
		return queue.ErrNotFound
	}
	v.note.Job = id
	info, err := u.Queue.Get(v.ctx, name, id)
	if err != nil {
		return v.back(here, v.failed(err))
	}
	if was := form.Get("was"); was != "" && was != editableOf(info) {
		return v.back(here, notice{Code: "edit-moved"})
	}
	change, code := changesOf(info, form.Get("payload"), form.Get("max_retry"), form.Get("metadata"))
	if code != "" {
		return v.back(here, notice{Code: code})
	}
	if _, err := u.Queue.Edit(v.ctx, name, id, change); err != nil {
		return v.back(here, v.failed(err))
	}
	v.record(queue.Deed{Verb: "edit", Queue: name, Target: id, Jobs: 1})
	return v.back(here, notice{Code: "edit"})
}

// changesOf finds out what is new in the form, or, by the code of a notice, why it cannot be taken.
func changesOf(info queue.Info, payload, maxRetry, metadata string) (change queue.Changes, code string) {
	payload = strings.TrimSpace(payload)
	switch {
	case payload == "":
		if len(info.Payload) > 0 {
			change.Payload = json.RawMessage("null")
		}
	case !json.Valid([]byte(payload)):
		return change, "bad-json"
	case queue.PrettyPayload(json.RawMessage(payload)) != queue.PrettyPayload(info.Payload):
		change.Payload = json.RawMessage(payload)
	}
	retries, err := strconv.Atoi(strings.TrimSpace(maxRetry))
	if err != nil || retries < 0 || retries > queue.MaxRetryLimit {
		return change, "bad-retry"
	}
	if retries != info.MaxRetry {
		change.MaxRetry = &retries
	}
	meta := map[string]string{}
	if strings.TrimSpace(metadata) != "" && json.Unmarshal([]byte(metadata), &meta) != nil || meta == nil || (queue.NewJob{ID: "x", Metadata: meta}).Validate() != nil {
		return change, "bad-meta"
	}
	if !maps.Equal(meta, info.Metadata) {
		change.Metadata = &meta
	}
	if change.Payload == nil && change.MaxRetry == nil && change.Metadata == nil {
		return change, "edit-same"
	}
	return change, ""
}

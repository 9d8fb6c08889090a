package ui

import (
	"net/url"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// jobsFilter is what the page Jobs is asked for. It goes through its links and forms unchanged.
type jobsFilter struct {
	Queue, State, Type, Text, Group string
	Oldest                          bool // first those that are due first; of the dead and done, the latest come first otherwise
}

// states are the states of a job, and what the listing's time is of each.
var states = []struct{ Name, Time string }{
	{string(queue.Scheduled), "Due"}, {string(queue.Processing), "Worker"}, {string(queue.Dead), "Died"}, {string(queue.Done), "Kept until"},
}

// filterOf reads a filter from a query or a form. Blanks around what people type are not meant.
func filterOf(values url.Values) jobsFilter {
	get := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	f := jobsFilter{Queue: get("queue"), State: get("state"), Type: get("type"), Text: get("text"), Group: get("group"), Oldest: get("order") == "oldest"}
	if f.State == "" {
		f.State = string(queue.Scheduled)
	}
	return f
}

func (f jobsFilter) query() url.Values {
	q := url.Values{"queue": {f.Queue}, "state": {f.State}}
	for name, value := range map[string]string{"type": f.Type, "text": f.Text, "group": f.Group} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Oldest {
		q.Set("order", "oldest")
	}
	return q
}

// URL is the first page of this filter.
func (f jobsFilter) URL() string { return "/ui/jobs?" + f.query().Encode() }

// WithState is the same filter for another state; a group is one of the dead.
func (f jobsFilter) WithState(state string) string {
	f.State, f.Group = state, ""
	return f.URL()
}

// newest: who waits is told from the first due on, what is over from the latest on.
func (f jobsFilter) newest() bool {
	over := f.State == string(queue.Dead) || f.State == string(queue.Done)
	return over && !f.Oldest
}

func (f jobsFilter) listing(limit int, cursor string) queue.Listing {
	return queue.Listing{State: queue.State(f.State), Type: f.Type, Text: f.Text, Group: f.Group, Limit: limit, Cursor: cursor, Newest: f.newest()}
}

// narrow tells whether not all jobs of the state are meant.
func (f jobsFilter) narrow() bool { return f.Type != "" || f.Text != "" || f.Group != "" }

// Words is the filter as the audit trail and the question before a bulk verb tell it.
func (f jobsFilter) Words() string {
	text := queue.Filter{State: queue.State(f.State), Type: f.Type, Group: f.Group}.String()
	if f.Text != "" {
		text += ", id with " + f.Text
	}
	return text
}

// jobsData is what the page Jobs shows.
type jobsData struct {
	Filter   jobsFilter
	Queues   []string
	States   []stateTab
	TimeName string
	Jobs     []queue.Info
	Next     string // address of the next page; ""
	First    string // address of the first page; "" on the first
	Here     string // this page
	Short    bool   // the page is short, and there are more behind
	Total    int    // jobs of this state in the queue
}

// AllVerbs are what can be done to all jobs that match.
func (d jobsData) AllVerbs() []string { return allVerbs[d.Filter.State] }

type stateTab struct {
	Name, URL string
	Jobs      int
	Chosen    bool
}

const jobsOnPage = 50

// jobs answers GET /ui/jobs.
func (u *ui) jobs(v *visit) error {
	f := filterOf(v.r.URL.Query())
	all, err := v.overviews()
	if err != nil {
		return err
	}
	if f.Queue, err = v.chosen(f.Queue, all); err != nil {
		return err
	}
	d := jobsData{Filter: f, Here: v.r.URL.RequestURI(), TimeName: "Due", Queues: namesOf(all)}
	for _, o := range all {
		if o.Queue == f.Queue {
			d.tabs(o)
		}
	}
	cursor := v.r.URL.Query().Get("cursor")
	if cursor != "" {
		d.First = f.URL()
	}
	if f.Queue == "" { // there is none yet
		return v.show("jobs", "Jobs", time.Now(), d)
	}
	page, err := u.Queue.List(v.ctx, f.Queue, f.listing(jobsOnPage, cursor))
	if err != nil {
		return err
	}
	d.Jobs = page.Jobs
	if page.Next != "" {
		q := f.query()
		q.Set("cursor", page.Next)
		d.Next, d.Short = "/ui/jobs?"+q.Encode(), len(page.Jobs) < jobsOnPage
	}
	return v.show("jobs", "Jobs", clockOf(all), d)
}

// tabs are the states with how many jobs each has.
func (d *jobsData) tabs(o queue.Overview) {
	jobs := map[string]int{string(queue.Scheduled): o.Scheduled, string(queue.Processing): o.Processing, string(queue.Dead): o.Dead, string(queue.Done): o.Done}
	for _, s := range states {
		chosen := s.Name == d.Filter.State
		d.States = append(d.States, stateTab{s.Name, d.Filter.WithState(s.Name), jobs[s.Name], chosen})
		if chosen {
			d.TimeName, d.Total = s.Time, jobs[s.Name]
		}
	}
}

package ui

import (
	"time"

	"github.com/punctualq/punctual/queue"
)

// deadData is what the page Dead shows.
type deadData struct {
	Queue  string
	Queues []string
	Dead   int
	Groups []deadGroup
	Others int
	Told   bool
	All    string // address of all dead jobs
}

type deadGroup struct {
	queue.DeadGroup
	List    string // address of its jobs
	Redrive string // address of the question before it
	Purge   string
}

// dead answers GET /ui/dead.
func (u *ui) dead(v *visit) error {
	all, name, err := v.queues()
	if err != nil {
		return err
	}
	d := deadData{Queue: name, Queues: namesOf(all), All: jobsFilter{Queue: name, State: string(queue.Dead)}.URL()}
	for _, o := range all {
		if o.Queue == name {
			d.Dead = o.Dead
		}
	}
	if name == "" {
		return v.show("dead", "Dead", time.Now(), d)
	}
	groups, others, err := u.Queue.DeadGroups(v.ctx, name)
	d.Told, d.Others = v.told(err), others
	for _, g := range groups {
		f := jobsFilter{Queue: name, State: string(queue.Dead), Group: g.ID}
		d.Groups = append(d.Groups, deadGroup{g, f.URL(), askURL(f, "redrive"), askURL(f, "purge")})
	}
	return v.show("dead", "Dead", clockOf(all), d)
}

// askURL is the question before a verb for all jobs of a filter.
func askURL(f jobsFilter, verb string) string {
	q := f.query()
	q.Set("verb", verb)
	return "/ui/all?" + q.Encode()
}

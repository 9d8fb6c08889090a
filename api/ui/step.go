package ui

import (
	"context"

	"github.com/punctualq/punctual/queue"
)

// step is one request of the several that it may take to do something to all jobs of a filter.
type step struct {
	filter     jobsFilter
	verb, when string
	cursor     string // where it goes on
	// The due times that the requests so far have given, Unix ms. Who has one of these has had his turn: a listing by due time may show
	// him again.
	first, last int64

	jobs, not, unreadable int  // of this request
	more                  bool // another request is needed
}

// step does as much as fits into the time of ctx; refused is the code of a notice.
func (u *ui) step(ctx context.Context, s *step) (refused string, err error) {
	state := queue.State(s.filter.State)
	whole := queue.Filter{State: state, Type: s.filter.Type, Group: s.filter.Group, Limit: 100_000, Cursor: s.cursor}
	if s.filter.Text == "" { // the queue has a verb for all of these
		switch {
		case s.verb == "redrive":
			return "", s.moved(u.Queue.RedriveAll(ctx, s.filter.Queue, whole))
		case s.verb == "purge", s.verb == "cancel" && state == queue.Scheduled: // to cancel what waits is to drop it
			return "", s.moved(u.Queue.PurgeAll(ctx, s.filter.Queue, whole))
		}
	}
	do, refused, err := u.verb(s.filter.Queue, s.verb, s.when)
	if err != nil || refused != "" {
		return refused, err
	}
	return "", u.walk(ctx, s, do)
}

func (s *step) moved(m queue.Moved, err error) error {
	s.jobs, s.unreadable, s.more, s.cursor = m.Jobs, m.Unreadable, m.More, m.Next
	return err
}

// walk goes over the jobs in the order of their due times, page by page. A page that was not finished comes again.
func (u *ui) walk(ctx context.Context, s *step, do doVerb) error {
	f := s.filter
	f.Oldest = true // whatever the order on the page
	for {
		if s.more = aboutToEnd(ctx); s.more {
			return nil
		}
		page, err := u.Queue.List(ctx, f.Queue, f.listing(200, s.cursor))
		if err != nil {
			return err
		}
		var ids []string
		for i := range page.Jobs {
			if !s.had(&page.Jobs[i]) {
				ids = append(ids, page.Jobs[i].ID)
			}
		}
		if len(ids) > 0 {
			d := each(ctx, ids, do)
			s.note(d)
			if d.err != nil && d.jobs+d.not+d.unreadable < len(ids) {
				return d.err
			}
			s.unreadable += d.unreadable // they stay, and come again with a page that was not finished
		}
		if s.cursor = page.Next; page.Next == "" {
			return nil
		}
	}
}

// had tells whether a job has had its turn already.
func (s *step) had(job *queue.Info) bool {
	due := job.Due.UnixMilli()
	return job.Cancelled || s.verb == "reschedule" && s.first > 0 && s.first <= due && due <= s.last
}

func (s *step) note(d done) {
	s.jobs, s.not, s.last = s.jobs+d.jobs, s.not+d.not, max(s.last, d.last)
	if d.first > 0 && (s.first == 0 || d.first < s.first) {
		s.first = d.first
	}
}

package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

var listScript = loadScript("list")

// Listing says which jobs to list.
type Listing struct {
	State   State  // Scheduled (default), Processing, Dead or Done
	Type    string // "" for all
	Subject string // "" for all
	Text    string // part of the id; "" for all
	Group   string // of the dead: the ID of a DeadGroup; "" for all
	Limit   int    // most jobs of a page; 0 means 50, at most 1000
	Cursor  string // of the page before; "" for the first
	Newest  bool   // the other way round: latest first
}

// Page is one page of a listing. It looks at 1,000 jobs at most, and ends at 1 MiB of records; so one may be short, a filtered one
// even empty, and not the last.
type Page struct {
	Jobs []Info // without their Failures, which Get tells
	Seen int    // how many were looked at
	Next string // cursor of the next page; "" if this was the last
}

// mostSeen is how many jobs a page looks at, mostBytes of how many bytes of records.
const mostSeen, mostBytes = 1000, 1 << 20

// List returns a page of jobs in the order of their due time (time of death, end of retention), those of Processing by worker and
// number of the claim. Each is seen once, however many others are moved in and out between pages; one that is given another place
// meanwhile may be seen there again. ErrCursor; ErrInvalid.
func (c *Client) List(ctx context.Context, queue string, l Listing) (page Page, err error) {
	l.State, l.Limit = cmp.Or(l.State, Scheduled), cmp.Or(l.Limit, 50)
	if err := l.check(queue); err != nil {
		return page, err
	}
	g := glance{queue: queue, state: l.State, group: l.Group, newest: l.Newest}
	if g.at, err = l.position(queue); err != nil {
		return page, err
	}
	for size := 0; ; {
		if g.most = mostSeen - page.Seen; l.Type == "" && l.Subject == "" && l.Text == "" && l.Group == "" {
			g.most = min(g.most, l.Limit-len(page.Jobs))
		}
		some, err := c.glance(ctx, &g)
		if err != nil {
			return Page{}, err
		}
		left := 0
		for i, s := range some {
			g.at, size, page.Seen = s.position, size+len(s.record), page.Seen+1
			if info := s.info(queue, l.State); l.matches(&info) {
				page.Jobs = append(page.Jobs, info)
			}
			if len(page.Jobs) == l.Limit {
				left = len(some) - i - 1
				break
			}
		}
		if g.more = g.more || left > 0; left == 0 {
			page.Seen += g.passOver()
		}
		if g.more && (len(page.Jobs) == l.Limit || page.Seen == mostSeen || size >= mostBytes) {
			page.Next = l.cursor(queue, g.at)
			return page, nil
		}
		if !g.more {
			return page, nil
		}
	}
}

func (l Listing) check(queue string) error {
	switch {
	case !isQueueName(queue):
		return errQueueName
	case !isState(string(l.State)):
		return &InvalidError{"state", "must be scheduled, processing, dead or done"}
	case l.Type != "" && !isJobType(l.Type):
		return &InvalidError{"type", "must match [a-z0-9._-]{1,64}"}
	case l.Limit < 1 || l.Limit > mostSeen:
		return &InvalidError{"limit", "must be between 1 and 1000"}
	}
	return checkGroup(l.Group, l.State)
}

func (l Listing) matches(i *Info) bool {
	return (l.Type == "" || i.Type == l.Type) && (l.Subject == "" || i.Subject == l.Subject) && strings.Contains(i.ID, l.Text)
}

// position is where a job stands in a listing: nothing that is moved before it shifts it. The zero value is the beginning.
type position struct{ worker, score, id string } // while processing, score is the number of the claim

// sighted is one job that was looked at.
type sighted struct {
	position
	record, attempts string
	cancelled        bool
}

func (s *sighted) info(queue string, state State) Info {
	score := s.score
	if state == Processing {
		score = ""
	}
	info, _ := infoOf(queue, s.id, state, s.record, s.attempts, score) // one whose record cannot be read is there, too
	info.Worker, info.Cancelled = s.worker, s.cancelled
	return info
}

// glance is a look at up to most jobs behind a position.
type glance struct {
	queue  string
	state  State
	group  string
	newest bool
	at     position
	most   int

	now    int64    // ms by the clock of Redis
	more   bool     // there is more behind
	others int      // how many were looked at that are not in the group
	last   position // where the last that was looked at stands
}

// passOver goes on behind all that were looked at, and returns how many of these were not wanted.
func (g *glance) passOver() (others int) {
	if g.others > 0 {
		g.at = g.last
	}
	return g.others
}

func (c *Client) glance(ctx context.Context, g *glance) ([]sighted, error) {
	k := keysOf(g.queue)
	switch g.state {
	case Processing:
		return c.glanceAtLists(ctx, k, g)
	case Dead:
		return c.glanceAt(ctx, k, g, nil, k.dead())
	case Done:
		return c.glanceAt(ctx, k, g, nil, k.done())
	}
	return c.glanceAt(ctx, k, g, nil, k.scheduled())
}

// listsAtOnce bounds the keys of one call.
const listsAtOnce = 200

// glanceAtLists goes over the lists of the workers that are registered now, in order of their ids.
func (c *Client) glanceAtLists(ctx context.Context, k keys, g *glance) ([]sighted, error) {
	workers, err := c.registry(ctx, k)
	if err != nil {
		return nil, err
	}
	if g.newest {
		slices.Reverse(workers)
	}
	workers = slices.DeleteFunc(workers, func(w string) bool {
		return g.at.id != "" && (!g.newest && w < g.at.worker || g.newest && w > g.at.worker)
	})
	var all []sighted
	most := g.most
	for some := range slices.Chunk(workers, listsAtOnce) {
		part := *g
		if part.most = most - len(all); some[0] != g.at.worker {
			part.at = position{}
		}
		lists := make([]string, len(some))
		for i, w := range some {
			lists[i] = k.processing(w)
		}
		found, err := c.glanceAt(ctx, k, &part, some, lists...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		g.now, g.more = part.now, part.more || len(all) == most
		if g.more {
			break
		}
	}
	return all, nil
}

// glanceAt asks the script.
func (c *Client) glanceAt(ctx context.Context, k keys, g *glance, workers []string, places ...string) ([]sighted, error) {
	order := "oldest"
	if g.newest {
		order = "newest"
	}
	words, err := c.look(ctx, &call{script: listScript, keys: append([]string{k.jobs(), k.attempts(), k.cancelled(), k.errors()}, places...),
		args: []any{string(g.state), order, g.most, g.at.score, g.at.id, g.group}})
	if err != nil {
		return nil, err
	}
	width := 4
	if g.state == Processing {
		width = 6
	}
	if len(words) < 6 || (len(words)-6)%width != 0 || words[0] != "ok" {
		return nil, fmt.Errorf("%w: script list answered %d words", ErrUnavailable, len(words))
	}
	g.now, g.last = millis(words[1]), position{score: words[4], id: words[5]}
	looked, all := int(millis(words[3])), make([]sighted, 0, len(words)/width)
	for w := range slices.Chunk(words[6:], width) {
		s := sighted{position: position{id: w[0], score: w[1]}, record: w[2], attempts: w[3]}
		if width == 6 {
			s.cancelled = w[4] == "1"
			if n := int(millis(w[5])); 0 < n && n <= len(workers) {
				s.worker = workers[n-1]
			}
		}
		all = append(all, s)
	}
	g.others = max(0, looked-len(all))
	g.more = words[2] == "1" && looked > 0
	return all, nil
}

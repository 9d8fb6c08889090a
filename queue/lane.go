package queue

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// lane is a connection on which one batch of jobs at a time goes to Redis. All jobs of one call for one server take the
// same lane: they are written in order.
type lane struct {
	client  *Client
	line    *line
	combine combiner
	load    atomic.Int64 // jobs whose callers wait
	suspect bool         // the last flush failed: reach before the next; used only by whoever flushes or is about to
}

func (c *Client) newLane() *lane {
	l := &lane{client: c, line: c.newLine(1, c.timeout)}
	l.line.wait = c.wait
	l.combine.reached, l.combine.ready, l.combine.abort = l.reached, l.reach, l.line.abort
	return l
}

// add sends the jobs, which leastBusy has counted, and returns when all are answered or ctx ends.
func (l *lane) add(ctx context.Context, jobs []*pending) {
	defer l.load.Add(-int64(len(jobs)))
	l.combine.add(ctx, l.flush, jobs)
}

// flush sends one batch, a script a queue in one pipeline, and gives each job its answer.
func (l *lane) flush(ctx context.Context, batch []*pending) {
	var parts [][]*pending
	var calls []*call
	for _, part := range byQueue(batch) {
		err := l.prepare(ctx, part[0].queue)
		switch {
		case errors.Is(err, errNotPermitted):
			tell(part, err)
		case err != nil: // Redis is away, or its answer is: do not even start
			tell(batch, err)
			return
		default:
			parts, calls = append(parts, part), append(calls, enqueueCall(part, l.client.maxScheduled))
		}
	}
	if len(calls) == 0 {
		return
	}
	l.line.run(ctx, calls...)
	for i, part := range parts {
		words, err := enqueued(calls[i], part)
		l.suspect = l.suspect || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrUnavailable)
		if err != nil {
			tell(part, err)
			continue
		}
		created, exists := l.confirmed(ctx, calls[i], part[0].queue, slices.ContainsFunc(words[2:], found))
		now := millis(words[1])
		for n, p := range part {
			p.take(words[2+n], now, created, exists)
		}
	}
}

// prepare makes sure, before the first job of a queue, that Redis can do all that is needed.
func (l *lane) prepare(ctx context.Context, queue string) error {
	if err := l.client.remember(ctx, queue, "", enqueueNeeds()); err != nil {
		return err
	}
	return l.client.canConfirm(ctx, queue)
}

// tell gives all of them the same error.
func tell(jobs []*pending, err error) {
	for _, p := range jobs {
		p.answer(time.Time{}, err)
	}
}

// byQueue parts a batch by queue, in order.
func byQueue(batch []*pending) (parts [][]*pending) {
	same := 0
	for same < len(batch) && batch[same].queue == batch[0].queue {
		same++
	}
	if same == len(batch) { // which is the rule
		return [][]*pending{batch}
	}
	place := map[string]int{}
	for _, p := range batch {
		i, known := place[p.queue]
		if !known {
			i = len(parts)
			place[p.queue], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], p)
	}
	return parts
}

// reachWithin bounds one attempt to find out whether Redis answers.
const reachWithin = time.Second

// reach makes sure that Redis answers: the queues are known to it, and after a failure a PING comes back. Nothing is on its
// way before that, so nobody is told of an unknown outcome who only waited for a connection.
func (l *lane) reach(ctx context.Context, jobs []*pending) error {
	if l.reached(jobs) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	for _, part := range byQueue(jobs) {
		err := l.prepare(ctx, part[0].queue)
		if err != nil && !errors.Is(err, errNotPermitted) { // that concerns one queue: flush tells its jobs
			return err
		}
	}
	if l.suspect {
		var answer redis.Error
		for _, part := range byQueue(jobs) {
			ping := redis.NewStatusCmd(ctx, "PING")
			l.line.do(ctx, keysOf(part[0].queue).meta(), ping)
			if err := ping.Err(); err != nil && !errors.As(err, &answer) {
				return classify(err, false)
			}
			if l.client.cluster == nil {
				break // it is the same server for all
			}
		}
		l.suspect = false
	}
	return nil
}

// reached says whether the last flush was answered and all queues are known.
func (l *lane) reached(jobs []*pending) bool {
	known, last := !l.suspect, ""
	for _, p := range jobs {
		if known && p.queue != last {
			_, known = l.client.known.Load(p.queue)
			if known && l.client.wait != 0 {
				_, known = l.client.waits.Load(p.queue)
			}
			last = p.queue
		}
	}
	return known
}

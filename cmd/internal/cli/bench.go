package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// How much a bench does. All of it takes less than 10 s, and no more than about 15 MB of Redis.
const (
	benchWindow = 2 * time.Second // of each way to enqueue
	benchMost   = 20_000          // jobs of each way to enqueue
	benchDrain  = 3 * time.Second // at most
	benchTimed  = 500             // jobs with a due time of their own
	benchSpread = 2 * time.Second // in which these are due
	benchSlots  = 100
	benchClean  = 10 * time.Second // to remove the queue again
)

// measured is what a bench found.
type measured struct {
	Redis       string  `json:"redis"`
	CPUs        int     `json:"cpus"`
	OneByOne    float64 `json:"enqueue_one_by_one_per_second"`
	InBulk      float64 `json:"enqueue_in_bulk_per_second"`
	Drained     float64 `json:"drained_per_second"`
	LatenessP50 float64 `json:"lateness_p50_ms"`
	LatenessP99 float64 `json:"lateness_p99_ms"`
}

func (d *desk) benchCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine with this Redis in 10 s, on a queue of its own that it removes",
		Long: "Measure this machine with this Redis in 10 s: how many jobs a second are enqueued one by one and in bulk, how many a worker\n" +
			"of this process drains, and how late jobs with a due time of their own are claimed. It does so on a queue of its own,\n" +
			"bench-…, and removes all of it at the end, and when it is interrupted. While it runs it keeps Redis busy, so others wait\n" +
			"longer. The figures are of this moment; docs/en/Benchmarks.md has some with the method told.\n" +
			"--json prints one JSON object.",
		Args: cobra.NoArgs,
		RunE: d.runs(func(ctx context.Context, s *session) error {
			b := &bench{session: s, queue: "bench-" + strings.ToLower(rand.Text()[:10])}
			m, err := b.run(ctx)
			if err != nil {
				return err
			}
			return b.tell(m, asJSON)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// bench is one run.
type bench struct {
	*session
	queue string
}

// run measures, and removes the queue whatever happens but a second Ctrl+C.
func (b *bench) run(ctx context.Context) (m measured, err error) {
	defer func() {
		if ctx.Err() != nil {
			err = ctx.Err() // whatever it has broken off
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchClean)
		defer cancel()
		if left := b.remove(clean); left != nil && !errors.Is(left, queue.ErrNoQueue) { // without a queue there is nothing to remove
			err = errors.Join(err, fmt.Errorf("queue %s could not be removed whole: \"punctual keys --queue %s\" lists the keys that are left (%w)", b.queue, b.queue, left))
		}
	}()
	m = measured{Redis: b.settings.RedisHost, CPUs: runtime.NumCPU()}
	b.say("enqueue, one by one")
	one, err := b.enqueue(ctx, 1)
	if err != nil {
		return m, err
	}
	b.say("enqueue, 100 at once")
	many, err := b.enqueue(ctx, 100)
	if err != nil {
		return m, err
	}
	m.OneByOne, m.InBulk = one.perSecond(), many.perSecond()
	return m, b.drain(ctx, &m, one.jobs+many.jobs)
}

// say tells people what goes on; whoever reads the figures reads another stream.
func (b *bench) say(what string) {
	if b.err.terminal {
		fmt.Fprintf(b.err, "%s ...\n", what)
	}
}

// pace is how many jobs took how long.
type pace struct {
	jobs int
	took time.Duration
}

func (p pace) perSecond() float64 { return float64(p.jobs) / max(p.took, time.Microsecond).Seconds() }

// enqueue enqueues so many at once, one call after the other. They are due at once, but nobody works yet.
func (b *bench) enqueue(ctx context.Context, atOnce int) (p pace, err error) {
	jobs := make([]queue.NewJob, atOnce)
	for i := range jobs {
		jobs[i] = queue.NewJob{Queue: b.queue, Type: "bench", Payload: json.RawMessage(`"x"`)}
	}
	began := time.Now()
	for p.took < benchWindow && p.jobs < benchMost {
		if _, err := b.EnqueueMany(ctx, jobs); err != nil {
			return p, err
		}
		p.jobs, p.took = p.jobs+atOnce, time.Since(began)
	}
	return p, nil
}

// drain lets a worker of this process run what waits, and then jobs with due times of their own.
func (b *bench) drain(ctx context.Context, m *measured, waiting int) error {
	runs := &benchRuns{late: make(chan time.Duration, benchTimed)}
	w, err := worker.New(b.Client, worker.Config{Queues: map[string]int{b.queue: benchSlots}, Timing: b.settings.Timing(),
		Observe: func(string) worker.Observer { return worker.Observer{Claimed: runs.claimed} }})
	if err != nil {
		return err
	}
	runs.await(waiting)
	for _, jobType := range []string{"bench", "timed"} {
		w.Handle(jobType, func(context.Context, worker.Job) error { runs.ran(); return nil })
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- w.Run(working) }()
	b.say("drain, with a worker of 100 slots")
	select {
	case <-runs.all:
	case <-ctx.Done():
	case <-time.After(benchDrain):
	}
	m.Drained = pace{runs.soFar(), time.Since(began)}.perSecond()
	if err = b.purge(ctx, queue.Scheduled); err == nil { // what is left would be in the way of the others
		b.say("jobs with a due time of their own")
		err = b.timed(ctx, m, runs.late)
	}
	stop()
	return errors.Join(err, ctx.Err(), <-ended)
}

// timed enqueues jobs that are due one by one, and waits until they are claimed.
func (b *bench) timed(ctx context.Context, m *measured, late <-chan time.Duration) error {
	jobs := make([]queue.NewJob, benchTimed)
	for i := range jobs {
		jobs[i] = queue.NewJob{Queue: b.queue, Type: "timed", Delay: 200*time.Millisecond + benchSpread*time.Duration(i)/benchTimed}
	}
	if _, err := b.EnqueueMany(ctx, jobs); err != nil {
		return err
	}
	found := make([]time.Duration, 0, benchTimed)
	tooLong := time.After(2 * benchSpread)
	for len(found) < benchTimed {
		select {
		case d := <-late:
			found = append(found, d)
		case <-ctx.Done():
			return ctx.Err()
		case <-tooLong:
			return fmt.Errorf("only %d of %d jobs with a due time were claimed in %s: this machine or its Redis is too busy to say more", len(found), benchTimed, 2*benchSpread)
		}
	}
	slices.Sort(found)
	at := func(p float64) float64 {
		return float64(found[int(p*float64(len(found)-1))]) / float64(time.Millisecond)
	}
	m.LatenessP50, m.LatenessP99 = at(0.5), at(0.99)
	return nil
}

// remove takes away all that the bench has put into Redis. Its worker has left before.
func (b *bench) remove(ctx context.Context) error {
	for _, state := range []queue.State{queue.Scheduled, queue.Dead, queue.Done} {
		if err := b.purge(ctx, state); err != nil {
			return err
		}
	}
	return b.Forget(ctx, b.queue)
}

func (b *bench) purge(ctx context.Context, state queue.State) error {
	for {
		moved, err := b.PurgeAll(ctx, b.queue, queue.Filter{State: state, Limit: 100_000})
		if err != nil || !moved.More {
			return err
		}
	}
}

func (b *bench) tell(m measured, asJSON bool) error {
	if asJSON {
		return b.out.object(m)
	}
	_, err := fmt.Fprintf(b.out, "Redis at %s, %d CPUs here; figures of this moment\n"+
		"enqueue, one by one    %8.0f jobs/s\n"+
		"enqueue, 100 at once   %8.0f jobs/s\n"+
		"drain, 100 slots       %8.0f jobs/s\n"+
		"lateness, median       %8.1f ms\n"+
		"lateness, p99          %8.1f ms\n", m.Redis, m.CPUs, m.OneByOne, m.InBulk, m.Drained, m.LatenessP50, m.LatenessP99)
	return err
}

// benchRuns counts what the worker has run.
type benchRuns struct {
	mu   sync.Mutex
	n    int
	want int
	all  chan struct{}      // closed when want have run
	late chan time.Duration // of jobs with a due time of their own
}

func (r *benchRuns) await(want int) { r.want, r.all = want, make(chan struct{}) }

func (r *benchRuns) claimed(jobType string, lateness time.Duration) {
	if jobType != "timed" {
		return
	}
	select {
	case r.late <- lateness:
	default: // there is room for each; one that is claimed again is no news
	}
}

func (r *benchRuns) ran() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n == r.want {
		close(r.all)
	}
}

func (r *benchRuns) soFar() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

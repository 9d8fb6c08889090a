package worker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// link is what a runner needs of queue.Link, loop by loop.
type link interface {
	Queue() string
	Close() error
	exchanger
	beater
	waiter
	Leave(ctx context.Context, worker string) (bool, error)
	Trim(ctx context.Context, most int, retention time.Duration, mostDone int) (queue.Trimmed, error)
}

const (
	cancelWait = 3 * time.Second  // how long cancelled handlers may take to return at a shutdown
	settleWait = 2 * time.Second  // how long the last results may take to reach Redis
	leaveWait  = time.Second      // how long deregistering may take
	askWait    = time.Second      // how long the exchange waits for what is neither claim nor settle
	trimEvery  = time.Minute      // dead and done jobs are bounded once a minute
	waitMost   = 10 * time.Second // one blocking pop
)

// runner works on one queue. Four loops share it: the exchange, which alone claims, settles and starts handlers; the
// heartbeat; the waker, which waits for the wake token; and the one that waits for the control token.
type runner struct {
	link    link
	config  Config
	slots   int
	handler func(jobType string) Handler
	log     zerolog.Logger
	outage  *outage
	observe Observer

	fenceTold, troubleTold seldom

	look chan struct{} // wakes the exchange
	beat chan struct{} // asks for a heartbeat now
	idle chan struct{} // wakes the waker: a slot may be free

	stop      func() // ends the work of the whole process in order, for it was told to
	endWaking func() // ends the wait for the wake token for good

	ready chan struct{} // calls resting executors
	ended chan struct{} // closed when no handler will be started any more

	mu sync.Mutex
	memory
}

func newRunner(l link, c Config, slots int, handler func(string) Handler) *runner {
	log := c.Logger.With().Str("queue", l.Queue()).Logger()
	r := &runner{link: l, config: c, slots: slots, handler: handler, log: log, outage: &outage{log: c.Logger}, observe: c.observer(l.Queue()),
		look: make(chan struct{}, 1), beat: make(chan struct{}, 1), idle: make(chan struct{}, 1),
		ready: make(chan struct{}, slots), ended: make(chan struct{}), stop: func() {}, endWaking: func() {}}
	r.memory = memory{info: c.info(slots), held: map[string]*execution{}, want: true}
	r.renew()
	return r
}

// poke wakes a loop; a loop that is awake anyway will look once more.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works until ctx ends or this process turns out to be unfit for the queue, then shuts down in order.
func (r *runner) run(ctx context.Context) error {
	if ctx.Err() != nil { // or jobs might run, if this goroutine is slow to tell the others of the stop
		_ = r.link.Close()
		close(r.ended)
		return nil
	}
	loops, endLoops := context.WithCancelCause(context.Background())
	waking, endWaking := context.WithCancel(loops)
	r.endWaking = func() {
		endWaking()
		_ = r.link.StopWaiting() // now, or the pop would swallow a token that another worker could use, the one that Leave pushes too
	}
	var running sync.WaitGroup
	running.Go(func() { r.exchangeLoop(loops) })
	running.Go(func() { r.heartbeatLoop(loops, endLoops) })
	running.Go(func() { r.trimLoop(loops) })
	running.Go(func() { r.wakeLoop(waking) })
	running.Go(func() { r.controlLoop(loops) })
	var fatal error
	select {
	case <-ctx.Done():
	case <-loops.Done(): // nothing can be settled any more: handlers are told, the list is for the reaper
		fatal = context.Cause(loops)
		r.mu.Lock()
		r.renew()
		r.mu.Unlock()
	}
	r.endWaking()
	r.mu.Lock()
	r.stopping, r.want = true, true // a token may have been lost with the pop: it is passed on, see plan
	r.mu.Unlock()
	poke(r.look)
	r.finishHandlers()
	if fatal == nil {
		r.awaitQuiet(settleWait)
		endLoops(nil)
		r.leave()
	}
	_ = r.link.Close() // ends what is still under way
	running.Wait()
	close(r.ended)
	return fatal
}

// finishHandlers lets handlers finish for the grace period, then cancels them and waits a little more.
func (r *runner) finishHandlers() {
	if r.await(r.config.ShutdownGrace, func() bool { return r.running == 0 }) {
		return
	}
	r.mu.Lock()
	r.log.Warn().Int("running", r.running).Msg("the grace period is over: cancelling handlers")
	for _, e := range r.held {
		e.cancel(ErrShutdown)
	}
	r.mu.Unlock()
	if !r.await(cancelWait, func() bool { return r.running == 0 }) {
		r.mu.Lock()
		r.findStuck(0) // the last chance to tell which
		r.mu.Unlock()
	}
}

// awaitQuiet waits until nothing is on its way to Redis, a registration least of all, nothing on the list is unknown, and the
// token is passed on, unless the lease is in doubt: then nothing is sent.
func (r *runner) awaitQuiet(most time.Duration) {
	r.await(most, func() bool {
		quiet := !r.exchanging && !r.unsure && len(r.adopt) == 0 && len(r.held) == r.running
		return !r.awaited && (!r.registered || quiet && (!r.want || r.inDoubt()))
	})
}

// await polls a condition on the memory for at most so long.
func (r *runner) await(most time.Duration, met func() bool) bool {
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		ok := met()
		r.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
}

// leave deregisters, if there is a registration and Redis can be reached.
func (r *runner) leave() {
	r.mu.Lock()
	id, registered, running := r.info.ID, r.registered, r.running
	r.mu.Unlock()
	if !registered {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveWait)
	defer cancel()
	left, err := r.link.Leave(ctx, id)
	switch {
	case err != nil:
		r.log.Warn().Err(err).Str("worker", id).Msg("could not deregister; the reaper will")
	case !left:
		r.log.Warn().Str("worker", id).Int("running", running).Msg("left with jobs on the list; the reaper takes them back")
	default:
		r.log.Info().Str("worker", id).Msg("worker deregistered")
	}
}

// trimLoop keeps the dead and the done jobs bounded.
func (r *runner) trimLoop(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			dropped, err := r.link.Trim(ctx, r.config.DeadMax, r.config.DeadRetention, r.config.DoneMax)
			if dropped.Dead > 0 {
				r.log.Warn().Int("dropped", dropped.Dead).Msg("dropped dead jobs beyond DEAD_MAX or DEAD_RETENTION")
			}
			more = dropped.More && err == nil
		}
	}
}

// able says whether this runner is registered and its lease is not in doubt.
func (r *runner) able() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.registered && !r.inDoubt()
}

// inDoubt: the last successful heartbeat was sent so long ago (monotonic clock) that others may take this worker's jobs.
func (r *runner) inDoubt() bool { return time.Since(r.lastBeat) >= r.config.Timing.InDoubtAfter() }

// newID makes a worker id that was never used: hostname:pid:random.
func newID(info queue.WorkerInfo) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s:%d:%s", strings.ReplaceAll(info.Host, ":", "-"), info.PID, hex.EncodeToString(b[:]))
}

// seldom keeps what happens again and again from filling the log.
type seldom struct{ last time.Time }

// again says whether the last time it said yes is so long ago.
func (s *seldom) again(every time.Duration) bool {
	if time.Since(s.last) < every {
		return false
	}
	s.last = time.Now()
	return true
}

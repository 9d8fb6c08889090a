package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// rig is one runner on a store, in a synctest bubble: no real time passes and nothing sleeps.
type rig struct {
	*store
	runner *runner
	logs   *logbook
	diary  *diary
	cancel context.CancelFunc
	done   chan error
	once   sync.Once
	err    error
}

// bubble runs a test in which time is the fake clock's.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// start starts a runner. With no handler every job is done at once.
func start(s *store, slots int, h Handler, change ...func(*Config)) *rig {
	r := prepare(s, slots, h, change...)
	r.run()
	return r
}

func prepare(s *store, slots int, h Handler, change ...func(*Config)) *rig {
	s.t.Helper()
	r := &rig{store: s, logs: &logbook{}, diary: &diary{}, done: make(chan error, 1)}
	c := Config{Concurrency: slots, Logger: zerolog.New(r.logs), Build: "this"}
	for _, f := range change {
		f(&c)
	}
	c, err := c.withDefaults()
	if err != nil {
		s.t.Fatal(err)
	}
	r.runner = newRunner(s.link(), c, slots, func(string) Handler { return r.diary.write(h) })
	return r
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.runner.run(ctx) }()
	r.t.Cleanup(func() { _ = r.stop() })
	synctest.Wait()
}

// stop ends the runner in order and returns what run returned.
func (r *rig) stop() error {
	r.cancel()
	return r.wait()
}

// wait waits for run to return.
func (r *rig) wait() error {
	r.once.Do(func() { r.err = <-r.done })
	return r.err
}

// id is the worker's id now.
func (r *rig) id() string {
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	return r.runner.info.ID
}

// lastBeat is when the last successful heartbeat was sent.
func (r *rig) lastBeat() time.Time {
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	return r.runner.memory.lastBeat
}

// pass lets time go by.
func pass(d time.Duration) {
	time.Sleep(d) // of the fake clock
	synctest.Wait()
}

// put puts elements on the worker's list that it knows nothing of, as a claim does that comes very late.
func (r *rig) put(elements ...string) {
	worker := r.id()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, element := range elements {
		_, id := splitTest(element)
		r.jobs[id] = &record{Job: queue.Job{ID: id, Queue: "q", Type: "test", MaxRetry: 10}, attempts: 1}
		r.lists[worker] = append(r.lists[worker], element)
	}
}

// sneak schedules a job without a token: nobody is told.
func (s *store) sneak(id string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[id] = &record{Job: queue.Job{ID: id, Queue: "q", Type: "test", MaxRetry: 10}}
	s.due[id] = s.now().Add(d)
}

// on runs do when the next call of this kind is sent, once, before it reaches the store.
func (s *store) on(op string, do func()) {
	var once sync.Once
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onCall = func(got string) {
		if got == op {
			once.Do(do)
		}
	}
}

// look reads the store under its lock.
func look[T any](s *store, f func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *store) finished(id string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.done {
		if d == id {
			n++
		}
	}
	return n
}

// diary remembers what ran.
type diary struct {
	mu       sync.Mutex
	entries  []entry
	now      int
	most     int
	overlaps int
	open     map[string]bool
}

type entry struct {
	id      string
	attempt int
	at      time.Time
	worker  string
}

// write wraps a handler. Every run is noted, and how many there were at a time.
func (d *diary) write(h Handler) Handler {
	return func(ctx context.Context, job Job) error {
		d.mu.Lock()
		d.entries = append(d.entries, entry{job.ID, job.Attempt, time.Now(), job.Worker})
		d.now++
		d.most = max(d.most, d.now)
		if d.open == nil {
			d.open = map[string]bool{}
		}
		if d.open[job.ID] {
			d.overlaps++
		}
		d.open[job.ID] = true
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.now--
			delete(d.open, job.ID)
		}()
		if h == nil {
			return nil
		}
		return h(ctx, job)
	}
}

func (d *diary) all() []entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]entry(nil), d.entries...)
}

func (d *diary) of(id string) (found []entry) {
	for _, e := range d.all() {
		if e.id == id {
			found = append(found, e)
		}
	}
	return found
}

// atATime returns the most handlers that ran at once, and how often two ran the same job.
func (d *diary) atATime() (most, overlaps int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.most, d.overlaps
}

// logbook keeps log lines.
type logbook struct {
	mu    sync.Mutex
	lines []line
}

type line struct {
	at     time.Time
	level  string
	msg    string
	fields map[string]any
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fields := map[string]any{}
	if err := json.Unmarshal(bytes.TrimSpace(p), &fields); err != nil {
		panic(err)
	}
	level, _ := fields["level"].(string)
	msg, _ := fields["message"].(string)
	l.lines = append(l.lines, line{time.Now(), level, msg, fields})
	return len(p), nil
}

// find returns the lines of info level and above whose message has this text.
func (l *logbook) find(text string) (found []line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.lines {
		if x.level != "debug" && strings.Contains(x.msg, text) {
			found = append(found, x)
		}
	}
	return found
}

// until returns a handler that runs until gate is closed or its context ends, and then returns the cause or err.
func until(gate <-chan struct{}, err error) Handler {
	return func(ctx context.Context, _ Job) error {
		select {
		case <-gate:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lasting returns a handler that takes d, or less if its context ends.
func lasting(d time.Duration) Handler {
	return func(ctx context.Context, _ Job) error { return pause(ctx, d) }
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// produce hands all jobs in when it is told "go".
type produce struct {
	task
	producer
}

func newProduce(t task) (*produce, error) {
	s, err := sideOf(t.Side)
	if err != nil {
		return nil, err
	}
	p, err := s.producer(t.URL)
	if err != nil {
		return nil, err
	}
	if _, ok := p.(bulker); t.Batch > 1 && !ok {
		return nil, fmt.Errorf("%s takes one job a call", t.Side)
	}
	return &produce{t, p}, nil
}

func (p *produce) answer(ctx context.Context, word string) (reply, error) {
	if word != "go" {
		return reply{}, fmt.Errorf("produce does not know %q", word)
	}
	batch := max(1, p.Batch)
	delays := p.delays()
	dues := make([]int64, p.Jobs)
	var next atomic.Int64
	errs := make([]error, max(1, p.Producers))
	begin := time.Now()
	var running sync.WaitGroup
	for i := range errs {
		running.Go(func() {
			jobs := make([]job, 0, batch)
			for {
				from := int(next.Add(int64(batch))) - batch
				if from >= p.Jobs {
					return
				}
				jobs = jobs[:0]
				for seq := from; seq < min(from+batch, p.Jobs); seq++ {
					jobs = append(jobs, job{seq: seq, delay: delays(seq)})
				}
				if errs[i] = p.enqueue(ctx, jobs); errs[i] != nil {
					return
				}
				for _, j := range jobs {
					dues[j.seq] = j.due.UnixMicro()
				}
			}
		})
	}
	running.Wait()
	return reply{Took: time.Since(begin).Seconds(), Dues: dues}, errors.Join(errs...)
}

// delays says how long each job is to wait, counted from when it is handed in.
func (p *produce) delays() func(seq int) time.Duration {
	begin := time.Now()
	extra := make([]time.Duration, p.Jobs)
	if p.SpreadMS > 0 {
		random := rand.New(rand.NewPCG(uint64(p.Seed), 0))
		for i := range extra {
			extra[i] = time.Duration(random.Int64N(p.SpreadMS*1000)) * time.Microsecond
		}
	}
	return func(seq int) time.Duration {
		switch {
		case p.At > 0:
			return time.Until(time.UnixMilli(p.At))
		case p.SpreadMS > 0: // random over one span for all, whenever each is handed in
			return max(0, time.Duration(p.DelayMS)*time.Millisecond+extra[seq]-time.Since(begin))
		default:
			return time.Duration(p.DelayMS) * time.Millisecond
		}
	}
}

// work runs workers until it is told "stop".
type work struct {
	ledger *ledger
	stop   func() error
}

func newWork(t task) (*work, error) {
	s, err := sideOf(t.Side)
	if err != nil {
		return nil, err
	}
	w := &work{ledger: newLedger(t.Jobs)}
	handle := w.ledger.start
	if t.HandlerMS > 0 {
		handle = func(payload []byte) {
			w.ledger.start(payload)
			time.Sleep(time.Duration(t.HandlerMS) * time.Millisecond) // the work that a handler stands for
		}
	}
	var stops []func() error
	for range max(1, t.Workers) {
		stop, err := s.worker(t.URL, t.Concurrency, handle)
		if err != nil {
			return nil, err
		}
		stops = append(stops, stop)
	}
	w.stop = sync.OnceValue(func() error { return together(stops) })
	return w, nil
}

// together calls all at once.
func together(all []func() error) error {
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, f := range all {
		running.Go(func() { errs[i] = f() })
	}
	running.Wait()
	return errors.Join(errs...)
}

func (w *work) answer(_ context.Context, word string) (reply, error) {
	switch word {
	case "cpu":
		return reply{}, nil // every reply has it
	case "stop":
		err := w.stop()
		p := w.ledger.page()
		return reply{Page: &p}, err
	}
	return reply{}, fmt.Errorf("work does not know %q", word)
}

func (w *work) close() error { return w.stop() }

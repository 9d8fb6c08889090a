package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/punctualq/punctual/worker"
)

// order is the payload of every job here.
type order struct {
	MS   int `json:"ms"`   // what takes time takes so long; a deed that kills is done after it. Default 0
	With int `json:"with"` // a deed that kills waits until so many others run, for 1 s at most
}

func (o order) time() time.Duration { return time.Duration(o.MS) * time.Millisecond }

// deeds are the handlers by job type.
func deeds(inside *crowd) map[string]worker.Handler {
	all := map[string]func(ctx context.Context, o order) error{
		"ok":     func(ctx context.Context, o order) error { return pause(ctx, o.time()) },
		"beside": func(ctx context.Context, o order) error { return inside.outlive(ctx, o.time()) },
		"fail":   func(context.Context, order) error { return errors.New("fails as it was told to") },
		"meet":   func(ctx context.Context, _ order) error { return inside.meet(ctx) },
		// These end their process.
		"exit":      killer(inside, func() { os.Exit(1) }),
		"segv":      killer(inside, touchForbidden),
		"memory":    killer(inside, eatMemory),
		"goroutine": killer(inside, func() { go func() { panic("in a goroutine of its own") }(); select {} }),
		"fatal":     killer(inside, func() { new(sync.Mutex).Unlock() }), // the runtime gives up, recover or not
		// These must cost a slot nothing.
		"panic":        func(context.Context, order) error { panic("as it was told to") },
		"panic-nil":    func(context.Context, order) error { panic(nil) }, //nolint:govet
		"panic-error":  func(context.Context, order) error { panic(panics{}) },
		"error-panics": func(context.Context, order) error { return panics{} },
		"error-exits":  func(context.Context, order) error { return exits{} },
		"goexit":       func(context.Context, order) error { runtime.Goexit(); return nil },
		"close-stdout": func(context.Context, order) error { return os.Stdout.Close() },
		"ignore":       func(_ context.Context, o order) error { time.Sleep(o.time()); return nil },
		"deadlock":     func(_ context.Context, o order) error { deadlock(o.time()); return nil },
	}
	handlers := map[string]worker.Handler{}
	for jobType, deed := range all {
		handlers[jobType] = func(ctx context.Context, job worker.Job) error {
			var o order
			if len(job.Payload) > 0 {
				if err := json.Unmarshal(job.Payload, &o); err != nil {
					return worker.Permanent(errors.New("the payload is no order"))
				}
			}
			return deed(ctx, o)
		}
	}
	return handlers
}

// killer makes a handler of what ends the process.
func killer(inside *crowd, kill func()) func(context.Context, order) error {
	return func(ctx context.Context, o order) error {
		inside.kills()
		inside.awaitOthers(ctx, o.With, time.Second)
		if err := pause(ctx, o.time()); err != nil {
			return err
		}
		kill()
		return errors.New("the deed did not end the process")
	}
}

// touchForbidden writes to a page that may not be touched: no panic, but a fault that nothing recovers from.
func touchForbidden() {
	page, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err == nil {
		page[0] = 1
	}
}

// deadlock waits for a lock that it holds itself, until somebody else frees it.
func deadlock(most time.Duration) {
	var mu sync.Mutex
	mu.Lock()
	time.AfterFunc(most, mu.Unlock)
	mu.Lock()
}

type panics struct{}

func (panics) Error() string { panic(panics{}) }

type exits struct{}

func (exits) Error() string { runtime.Goexit(); return "" }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

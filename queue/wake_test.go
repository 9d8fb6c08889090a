package queue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestWakePassesATokenOn(t *testing.T) {
	r := newRig(t)
	for range 2 { // the second one finds it there
		if err := r.link.PassOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "token", r.token(), true)
	}
}

func TestWaitTakesTheToken(t *testing.T) {
	r := newRig(t)
	r.do("LPUSH", k("wake"), "1")
	woken, err := r.link.Wait(t.Context(), bound)
	if err != nil || !woken {
		t.Errorf("%v, %v", woken, err)
	}
	equal(t, "token", r.token(), false)
}

func TestWaitEndsWithoutAToken(t *testing.T) {
	r := newRig(t)
	woken, err := r.link.Wait(t.Context(), time.Second)
	if err != nil || woken {
		t.Errorf("%v, %v", woken, err)
	}
}

// awaitBlocked waits until some client is blocked on this queue's token, by pushing and taking none: the server tells.
func awaitBlocked(t *testing.T, s *redistest.Server, n string) {
	t.Helper()
	redistest.Await(t, bound, n+" blocked clients", func() bool {
		return strings.Contains(s.Client().Info(context.Background(), "clients").Val(), "\r\nblocked_clients:"+n+"\r\n")
	})
}

// However many wait, one new head wakes one of them.
func TestWaitWakesExactlyOne(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	ctx := t.Context()
	woken := make(chan bool)
	links := make([]*queue.Link, 3)
	for i := range links {
		var err error
		if links[i], err = r.client.Link(r.name); err != nil {
			t.Fatal(err)
		}
		go func() {
			token, _ := links[i].Wait(ctx, bound)
			woken <- token
		}()
	}
	awaitBlocked(t, s, "3")
	r.put(queue.NewJob{})
	equal(t, "one is woken", <-woken, true)
	awaitBlocked(t, s, "2")
	for _, l := range links {
		_ = l.Close()
	}
	equal(t, "the others end with their links", []bool{<-woken, <-woken}, []bool{false, false})
}

func TestWaitEndsAtTheDeadlineOfItsContext(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if woken, err := r.link.Wait(ctx, time.Hour); err == nil || woken {
		t.Errorf("%v, %v", woken, err)
	}
	awaitBlocked(t, s, "0")
	r.put(queue.NewJob{})
	woken, err := r.link.Wait(t.Context(), bound)
	if err != nil || !woken {
		t.Errorf("the link still works: %v, %v", woken, err)
	}
}

// The blocking pop must not hold up the heartbeat, nor the exchange.
func TestWaitHoldsNobodyUp(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	r.register("w")
	woken := make(chan bool)
	go func() {
		token, _ := r.link.Wait(context.Background(), time.Hour)
		woken <- token
	}()
	awaitBlocked(t, s, "1")
	if _, err := r.beat("w", false); err != nil {
		t.Error(err)
	}
	r.claim("w", 1)
	if err := r.link.PassOn(t.Context()); err != nil {
		t.Error(err)
	}
	equal(t, "woken", <-woken, true)
}

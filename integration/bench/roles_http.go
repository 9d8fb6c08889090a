package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
)

// benchSecret signs the tokens of a measurement, which nobody else ever sees.
var benchSecret = []byte("only for measurements on this machine")

// serve is the API: of us with the queue behind it, of hand the same router and token check with nothing behind them.
type serve struct {
	server *http.Server
	queue  *queue.Client
}

func newServe(t task) (role, reply, error) {
	s := &serve{}
	var behind api.Queue = nowhere{}
	if t.Side == us {
		q, err := queue.Open(context.Background(), t.URL, queue.Options{})
		if err != nil {
			return nil, reply{}, err
		}
		s.queue, behind = q, q
	}
	h, err := api.New(behind, api.Config{Secret: benchSecret, Logger: zerolog.New(io.Discard)})
	if err != nil {
		return nil, reply{}, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, reply{}, err
	}
	s.server = api.Server(l.Addr().String(), h)
	go func() { _ = s.server.Serve(l) }()
	return s, reply{Addr: l.Addr().String()}, nil
}

func (s *serve) answer(_ context.Context, word string) (reply, error) {
	if word != "cpu" {
		return reply{}, fmt.Errorf("serve does not know %q", word)
	}
	return reply{}, nil
}

func (s *serve) close() error {
	err := s.server.Close()
	if s.queue != nil {
		err = errors.Join(err, s.queue.Close())
	}
	return err
}

// nowhere takes every job and forgets it.
type nowhere struct{ api.Queue }

func (nowhere) Enqueue(_ context.Context, j queue.NewJob) (queue.Enqueued, error) {
	if err := j.Validate(); err != nil {
		return queue.Enqueued{}, err
	}
	id, err := uuid.NewV7()
	return queue.Enqueued{ID: id.String(), Due: time.Now().Add(j.Delay)}, err
}

func (nowhere) Health(context.Context) []queue.Problem { return nil }

// post registers all jobs over HTTP when it is told "go".
type post struct{ task }

func (p *post) answer(ctx context.Context, word string) (reply, error) {
	if word != "go" {
		return reply{}, fmt.Errorf("post does not know %q", word)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: p.Producers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	errs := make([]error, p.Producers)
	var next atomic.Int64
	begin := time.Now()
	var running sync.WaitGroup
	for i := range errs {
		running.Go(func() {
			for int(next.Add(1)) <= p.Jobs && errs[i] == nil {
				errs[i] = p.register(ctx, client)
			}
		})
	}
	running.Wait()
	return reply{Took: time.Since(begin).Seconds()}, errors.Join(errs...)
}

var registration = []byte(`{"message": "Hello, how are you today?", "delay_seconds": 3600, "max_retry": 3}`)

func (p *post) register(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/api/dm-jobqueue/register", bytes.NewReader(registration))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+p.Token)
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("answered %d: %s", res.StatusCode, body)
	}
	return err
}

func (p *post) close() error { return nil }

package queue_test

import (
	"errors"
	"testing"

	"github.com/punctualq/punctual/queue"
)

func TestPing(t *testing.T) {
	r := newRig(t)
	if took, err := r.client.Ping(t.Context(), r.name); took <= 0 || err != nil {
		t.Errorf("%s, %v", took, err)
	}
	if _, err := r.client.Ping(t.Context(), "No Queue"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}

func TestPingWithoutRedis(t *testing.T) {
	c, err := queue.Open(t.Context(), "redis://127.0.0.1:1", queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ping(t.Context(), queue.DefaultQueue); !errors.Is(err, queue.ErrUnavailable) {
		t.Error(err)
	}
}

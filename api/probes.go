package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// Probes makes a handler that answers /livez and /readyz alone, for a process that serves nothing else. ready returns why the
// process cannot do its work now, nothing if it can, and returns when its context ends. Requests are not logged: a probe
// comes every few seconds, and what it finds is logged by whoever has the trouble.
func Probes(ready func(context.Context) []queue.Problem) http.Handler {
	return observe(zerolog.Nop(), nil, newRouter(probes(ready), nil))
}

// probes are the routes that need no token.
func probes(ready func(context.Context) []queue.Problem) []route {
	return []route{
		{method: http.MethodGet, template: "/livez", handle: livez},
		{method: http.MethodGet, template: "/readyz", handle: readyz(ready)},
	}
}

type health struct {
	Status  string          `json:"status"`
	Reasons []queue.Problem `json:"reasons,omitempty"`
}

// livez knows only this process: restarting it does not bring Redis back.
func livez(c *call) error { return c.answer(http.StatusOK, health{Status: "ok"}) }

// readyz tells whether work can be taken now, and if not, why.
func readyz(ready func(context.Context) []queue.Problem) func(*call) error {
	return func(c *call) error {
		ctx, cancel := c.context()
		defer cancel()
		problems := ready(ctx)
		if len(problems) == 0 {
			return c.answer(http.StatusOK, health{Status: "ready"})
		}
		reasons := make([]queue.Problem, len(problems))
		for i, p := range problems {
			c.entry.err = errors.Join(c.entry.err, errors.New(p.Code+": "+p.Reason))
			reasons[i] = public(p)
		}
		c.entry.code = "unready"
		return c.answer(http.StatusServiceUnavailable, health{"unready", reasons})
	}
}

// ready is how Redis is, unless this process shuts down.
func (s *service) ready(ctx context.Context) []queue.Problem {
	select {
	case <-s.closing:
		return []queue.Problem{{Code: "shutting-down", Reason: "this process shuts down: send new requests to another"}}
	default:
		return s.queue.Health(ctx)
	}
}

// public leaves out what strangers need not know: the text of a connection error names the address of Redis.
func public(p queue.Problem) queue.Problem {
	if p.Code == "redis-unavailable" {
		p.Reason = "Redis does not answer, or refuses this process: its log says why"
	}
	return p
}

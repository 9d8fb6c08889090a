package main

import (
	"context"

	"github.com/punctualq/punctual/api"
)

func httpCases() []benchCase {
	return []benchCase{{name: "http", params: []string{"registrations"}, unit: map[string]string{"registrations": "requests/s"},
		sides: []string{us, hand}, measure: measureHTTP}}
}

// measureHTTP: 16 connections register jobs; of hand the same router and token check answer without a queue.
func measureHTTP(ctx context.Context, m *measurement) (figures, error) {
	n := m.n(40_000, 500)
	if err := m.fresh(ctx); err != nil {
		return m.seen, err
	}
	s, err := m.child(task{Role: "serve"})
	if err != nil {
		return m.seen, err
	}
	token, err := api.NewToken(benchSecret, api.TokenClaims{})
	if err != nil {
		return m.seen, err
	}
	p, err := m.child(task{Role: "post", Jobs: n, Producers: 16, URL: "http://" + s.first.Addr, Token: token})
	if err != nil {
		return m.seen, err
	}
	before, err := m.cpu(ctx)
	if err != nil {
		return m.seen, err
	}
	r, err := p.ask("go")
	if err != nil {
		return m.seen, err
	}
	after, err := m.cpu(ctx)
	if err != nil {
		return m.seen, err
	}
	m.saw("registrations", float64(n)/r.Took)
	used, err := s.ask("cpu")
	if err != nil {
		return m.seen, err
	}
	m.add("registrations", "server CPU (µs a request)", used.CPU/float64(n)*1e6)
	m.add("registrations", "client CPU (µs a request)", r.CPU/float64(n)*1e6)
	if m.name != us {
		return m.seen, nil
	}
	m.add("registrations", redisCPU, (after-before)/float64(n)*1e5)
	return m.seen, m.holds(ctx, n)
}

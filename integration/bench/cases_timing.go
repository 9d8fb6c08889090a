package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

func timingCases() []benchCase {
	return []benchCase{
		{name: "lateness", params: []string{"p50", "p99"}, unit: map[string]string{"p50": "ms", "p99": "ms"}, sides: sides,
			measure: measureLateness},
		{name: "fanout", params: []string{"claims", "p99"}, unit: map[string]string{"claims": "claims a job", "p99": "ms"},
			sides: []string{us}, measure: measureFanout},
	}
}

// measureLateness: jobs due at random within 10 s; how long after its due time each starts.
func measureLateness(ctx context.Context, m *measurement) (figures, error) {
	n, span := m.n(2_000, 200), int64(10_000)
	if m.quick {
		span = 1_000
	}
	if err := m.fresh(ctx); err != nil {
		return m.seen, err
	}
	w, err := m.child(task{Role: "work", Jobs: n, Concurrency: 10})
	if err != nil {
		return m.seen, err
	}
	dues, err := m.fill(task{Jobs: n, DelayMS: 2000, SpreadMS: span, Seed: int64(m.run) + 1})
	if err != nil {
		return m.seen, err
	}
	left, err := m.drained(ctx)
	if err != nil {
		return m.seen, err
	}
	p, _, err := finish([]*child{w})
	if err != nil {
		return m.seen, err
	}
	m.check(p.audit(dues, left))
	late := p.lateness(dues)
	early := 0
	for _, l := range late {
		if l < 0 {
			early++
		}
	}
	m.saw("p50", percentile(late, 50))
	m.saw("p99", percentile(late, 99))
	m.add("p50", earlyShare, 100*float64(early)/float64(len(dues)))
	m.add("p99", "latest (ms)", slices.Max(late))
	return m.seen, nil
}

// measureFanout: a hundred idle workers, and again and again one job that becomes due.
func measureFanout(ctx context.Context, m *measurement) (figures, error) {
	if m.quick {
		return m.fanout(ctx, 10, 3)
	}
	return m.fanout(ctx, 100, 100)
}

func (m *measurement) fanout(ctx context.Context, workers, jobs int) (figures, error) {
	if err := m.fresh(ctx); err != nil {
		return m.seen, err
	}
	w, err := m.child(task{Role: "work", Jobs: jobs, Workers: workers, Concurrency: 10})
	if err != nil {
		return m.seen, err
	}
	for idle := 0.0; idle < float64(workers); time.Sleep(20 * time.Millisecond) {
		if idle, err = m.info(ctx, "clients", "blocked_clients"); err != nil {
			return m.seen, err
		}
	}
	claims, end, err := m.monitorClaims()
	if err != nil {
		return m.seen, err
	}
	defer end()
	p, err := m.producer(m.url)
	if err != nil {
		return m.seen, err
	}
	defer p.close()
	dues, most, left := make([]int64, jobs), 0, 0
	for seq := range dues {
		before, err := claims(ctx)
		if err != nil {
			return m.seen, err
		}
		list := []job{{seq: seq, delay: 100*time.Millisecond + rand.N(50*time.Millisecond)}}
		if err := p.enqueue(ctx, list); err != nil {
			return m.seen, err
		}
		dues[seq] = list[0].due.UnixMicro()
		if left, err = m.drained(ctx); err != nil {
			return m.seen, err
		}
		time.Sleep(50 * time.Millisecond) // a claim too many would come now
		after, err := claims(ctx)
		if err != nil {
			return m.seen, err
		}
		most = max(most, after-before)
	}
	all, err := claims(ctx)
	if err != nil {
		return m.seen, err
	}
	ledger, _, err := finish([]*child{w})
	if err != nil {
		return m.seen, err
	}
	m.check(ledger.audit(dues, left))
	m.saw("claims", float64(all)/float64(jobs))
	m.add("claims", "most claims for one job", float64(most))
	late := ledger.lateness(dues)
	m.saw("p99", percentile(late, 99))
	m.add("p99", "p50 (ms)", percentile(late, 50))
	return m.seen, nil
}

// monitorClaims counts claims by MONITOR. The function it returns tells how many there were until now.
func (m *measurement) monitorClaims() (count func(context.Context) (int, error), end func(), err error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "redis://"))
	if err != nil {
		return nil, nil, err
	}
	end = func() { _ = conn.Close() }
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		end()
		return nil, nil, err
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 4<<20)
	if !lines.Scan() || lines.Text() != "+OK" {
		end()
		return nil, nil, errors.New("MONITOR was refused")
	}
	n, marks, claim := 0, 0, queue.ScriptSHAs()["claim"]
	return func(ctx context.Context) (int, error) {
		marks++
		mark := fmt.Sprintf("count %d", marks)
		if err := m.Echo(ctx, mark).Err(); err != nil {
			return 0, err
		}
		for lines.Scan() {
			text := lines.Text()
			if strings.Contains(text, mark) {
				return n, nil
			}
			if strings.Contains(text, claim) {
				n++
			}
		}
		return 0, errors.Join(errors.New("MONITOR ended"), lines.Err())
	}, end, nil
}

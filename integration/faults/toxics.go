package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// bad is a network between two of our processes that can be made bad: toxiproxy, in the test process. Each fault has a name
// and acts from Add until Remove, on the connections that are there and on new ones.
type bad struct {
	s     *Scene
	proxy *toxiproxy.Proxy
}

// The two directions of a fault.
const (
	requests = "upstream"
	replies  = "downstream"
)

// bad puts a network before target (host:port); it ends with the scene.
func (s *Scene) bad(target string) *bad {
	s.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	b := &bad{s, toxiproxy.NewProxy(server, s.Name(), "127.0.0.1:0", target)}
	if err := b.proxy.Start(); err != nil {
		s.Fatalf("toxiproxy: %v", err)
	}
	s.Cleanup(b.proxy.Stop)
	return b
}

// Addr is where the network begins.
func (b *bad) Addr() string { return b.proxy.Listen }

// through is a URL of a Redis with the network in between.
func (b *bad) through(url string) string { return strings.Replace(url, b.proxy.Upstream, b.Addr(), 1) }

// Add begins a fault on part of the connections (1 is all). Attributes are those of toxiproxy.
func (b *bad) Add(name, kind, direction string, part float64, attributes map[string]int) {
	b.s.Helper()
	order, err := json.Marshal(map[string]any{"name": name, "type": kind, "stream": direction, "toxicity": part, "attributes": attributes})
	if err == nil {
		_, err = b.proxy.Toxics.AddToxicJson(strings.NewReader(string(order)))
	}
	if err != nil {
		b.s.Fatalf("toxic %s: %v", name, err)
	}
}

// Remove ends a fault.
func (b *bad) Remove(name string) {
	b.s.Helper()
	if err := b.proxy.Toxics.RemoveToxic(context.Background(), name); err != nil {
		b.s.Fatalf("toxic %s: %v", name, err)
	}
}

// printed counts what the message jobs of some workers have printed so far, by message.
func printed(workers ...*Process) map[string]int {
	n := map[string]int{}
	for _, w := range workers {
		for line := range strings.Lines(w.Stdout()) {
			if _, message, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "] "); ok {
				n[message]++
			}
		}
	}
	return n
}

// Said is a job with a message that no other job has.
func Said(format string, args ...any) Job { return Job{Message: fmt.Sprintf(format, args...)} }

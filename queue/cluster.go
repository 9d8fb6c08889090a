package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

const slotCount = 1 << 14

// slots says which node serves each slot, "" where none does. A table is never changed, only replaced.
type slots [slotCount]string

// cluster knows which node serves which slot, as far as it was told. A wrong entry costs one redirect.
type cluster struct {
	seeds    []string
	options  redis.Options
	table    atomic.Pointer[slots]
	doubted  atomic.Bool   // ask before the next use
	asking   chan struct{} // held by the one who asks
	question int           // counts them, so that each begins with another node; guarded by asking
}

func newCluster(a *address) *cluster {
	c := &cluster{seeds: a.hosts, options: oneQuestion(*a.opts), asking: make(chan struct{}, 1)}
	c.doubted.Store(true)
	c.table.Store(&slots{})
	return c
}

// known is the node that is thought to serve a slot, "" if none is.
func (c *cluster) known(slot int) string { return c.table.Load()[slot] }

// owner is known, after asking the nodes if there is reason to doubt.
func (c *cluster) owner(ctx context.Context, slot int) (string, error) {
	var err error
	if c.doubted.Load() {
		err = c.refresh(ctx)
	}
	if addr := c.known(slot); addr != "" { // even if nobody answered: this one may
		return addr, nil
	}
	c.doubt()
	if err == nil {
		err = fmt.Errorf("no node serves slot %d", slot)
	}
	return "", err
}

// doubt makes the next use ask the nodes: one did not answer, or is not what it was.
func (c *cluster) doubt() { c.doubted.Store(true) }

// moved notes what a node said of one slot.
func (c *cluster) moved(slot int, addr string) {
	for {
		old := c.table.Load()
		table := *old
		table[slot] = addr
		if c.table.CompareAndSwap(old, &table) {
			return
		}
	}
}

// nodes are the addresses of all that serve a slot, sorted.
func (c *cluster) nodes() []string {
	set, last := map[string]bool{}, ""
	for _, addr := range c.table.Load() {
		if addr != last {
			set[addr], last = true, addr
		}
	}
	delete(set, "")
	return slices.Sorted(maps.Keys(set))
}

// refresh asks one node after the other until one answers. Only one caller does; the others wait for it.
func (c *cluster) refresh(ctx context.Context) error {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return fmt.Errorf("the nodes of the Cluster are being asked: %w", ctx.Err())
	}
	if !c.doubted.Load() {
		return nil
	}
	whom := c.nodes()
	for _, seed := range c.seeds {
		if !slices.Contains(whom, seed) {
			whom = append(whom, seed)
		}
	}
	last := errors.New("the deadline came first")
	for range whom {
		if ctx.Err() != nil {
			break
		}
		addr := whom[c.question%len(whom)]
		c.question++
		table, err := c.ask(ctx, addr)
		if err == nil {
			c.table.Store(table)
			c.doubted.Store(false)
			return nil
		}
		last = fmt.Errorf("%s: %w", addr, err)
	}
	return fmt.Errorf("no node of the Cluster says who serves what: %w", last)
}

func (c *cluster) ask(ctx context.Context, addr string) (*slots, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	o := c.options
	o.Addr = addr
	client := redis.NewClient(&o)
	defer client.Close()
	ranges, err := client.ClusterSlots(ctx).Result()
	if err != nil {
		return nil, err
	}
	if len(ranges) == 0 {
		return nil, errors.New("it knows of no slot that is served")
	}
	table := &slots{}
	for _, r := range ranges {
		for slot := max(0, r.Start); slot <= r.End && slot < slotCount && len(r.Nodes) > 0; slot++ {
			table[slot] = complete(r.Nodes[0].Addr, addr)
		}
	}
	return table, nil
}

// complete fills in a host that a node left out: it means the host at which it was asked.
func complete(addr, asked string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || host == "?") {
		host, _, _ = net.SplitHostPort(asked)
	}
	return net.JoinHostPort(host, port)
}

// slotOf is the slot of a key: CRC16 (XMODEM) of its hash tag, or of all of it.
func slotOf(key string) int {
	if _, behind, found := strings.Cut(key, "{"); found {
		if tag, _, closed := strings.Cut(behind, "}"); closed && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slotCount
}

package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redirects bounds how often one command is sent again because a node sent it elsewhere, or asked for patience. Each wait
// is twice the one before: with the first at 5 ms, 0.6 s in all.
const redirects = 7

// parcel is one command on its way to a node of a Cluster.
type parcel struct {
	cmd    redis.Cmder
	slot   int
	again  func()      // called before it is sent again, after the others of its pipeline
	asked  string      // ASK: this node has the slot's keys already, though it is not its owner yet
	sent   *bool       // the last time it was sent, it may have left this process
	waited **redis.Cmd // the wait that followed it then; nil: it needs none
}

// deliver sends commands, those for one node as one pipeline, and follows MOVED, ASK and TRYAGAIN: who answers so has run
// nothing. Nothing else is sent again.
func (l *line) deliver(ctx context.Context, parcels []*parcel) {
	wait := 5 * time.Millisecond
	for hop := 0; ; hop++ {
		l.dispatch(ctx, parcels)
		again, patient := l.sentElsewhere(parcels)
		if len(again) == 0 || hop == redirects {
			return
		}
		if patient || hop > 1 { // two nodes may send each other everything while a slot changes hands
			if !pause(ctx, wait) {
				return
			}
			wait *= 2
		}
		for _, p := range again {
			if p.again != nil {
				p.again()
			}
		}
		parcels = again
	}
}

// pause waits, and says whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dispatch sends each command once.
func (l *line) dispatch(ctx context.Context, parcels []*parcel) {
	var addrs []string
	groups := map[string][]*parcel{}
	for _, p := range parcels {
		*p.sent = false
		addr, err := p.asked, error(nil)
		if addr == "" {
			addr, err = l.client.cluster.owner(ctx, p.slot)
		}
		if err != nil {
			p.cmd.SetErr(err)
			continue
		}
		if groups[addr] == nil {
			addrs = append(addrs, addr)
		}
		groups[addr] = append(groups[addr], p)
	}
	for _, addr := range addrs {
		n, err := l.at(addr)
		var cmds []redis.Cmder
		wait := l.wait.command(ctx, l.client.timeout)
		for _, p := range groups[addr] {
			if p.waited != nil {
				*p.waited = wait
			}
			if p.cmd.SetErr(err); p.asked != "" {
				cmds = append(cmds, redis.NewStatusCmd(ctx, "ASKING"))
			}
			cmds = append(cmds, p.cmd)
		}
		if err != nil {
			continue
		}
		if wait != nil && groups[addr][0].waited != nil {
			cmds = append(cmds, wait)
		}
		sent := n.exchange(ctx, cmds...)
		for _, p := range groups[addr] {
			*p.sent = sent
			n.learn(p.cmd.Err())
		}
	}
}

// sentElsewhere picks out those that were not run, and notes where each has to go. patient: one of them has to wait.
func (l *line) sentElsewhere(parcels []*parcel) (again []*parcel, patient bool) {
	for _, p := range parcels {
		asked := p.asked
		p.asked = ""
		word, slot, addr := redirection(p.cmd.Err())
		switch word {
		case "MOVED":
			if asked == "" {
				asked = l.client.cluster.known(p.slot)
			}
			l.client.cluster.moved(slot, complete(addr, asked))
		case "ASK":
			p.asked = complete(addr, l.client.cluster.known(p.slot))
		case "TRYAGAIN":
			patient = true
		default:
			continue
		}
		again = append(again, p)
	}
	return again, patient
}

// redirection reads "MOVED 3999 127.0.0.1:6381", the same with ASK, and "TRYAGAIN ...". word is "" for anything else.
func redirection(err error) (word string, slot int, addr string) {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return "", 0, ""
	}
	words := strings.Fields(answer.Error())
	switch {
	case len(words) > 0 && words[0] == "TRYAGAIN":
		return words[0], 0, ""
	case len(words) == 3 && (words[0] == "MOVED" || words[0] == "ASK"):
		if slot, err := strconv.Atoi(words[1]); err == nil && slot >= 0 && slot < slotCount {
			return words[0], slot, words[2]
		}
	}
	return "", 0, ""
}

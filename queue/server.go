package queue

import (
	"context"
	"errors"
	"time"
)

// ServerInfo is the Redis that holds a queue, as it describes itself. What it does not tell is zero.
type ServerInfo struct {
	Product   string // redis or valkey
	Version   string
	Mode      string // standalone, sentinel or cluster
	Role      string // master or replica
	Uptime    time.Duration
	Now       time.Time     // its clock
	Skew      time.Duration // by how much its clock is ahead of ours, give or take half of RoundTrip
	RoundTrip time.Duration

	MemoryUsed, MemoryPeak, MemoryMax int64  // bytes; MemoryMax 0: no limit
	Policy                            string // maxmemory-policy
	Fragmentation                     float64
	AOF                               bool
	Fsync                             string // appendfsync; "" if it is not told
	LastSaveFailed, LastAOFFailed     bool
	LastSave                          time.Time
	Loading                           bool
	Replicas                          int
	Clients                           int
	CommandsPerSecond                 int
	Evicted                           int64

	Slow []SlowScript // of the slow log, latest first: calls of scripts, at most 20
	// Unknown are the parts that Redis did not tell, by the reason it gave (CONFIG and SLOWLOG are often not permitted).
	Unknown map[string]string
}

// SlowScript is an entry of the slow log.
type SlowScript struct {
	At     time.Time
	Took   time.Duration
	Script string // its name in queue/lua, "" for a command of somebody else
	Queue  string
	Text   string // the command, cut to 100 bytes
}

// Server asks the Redis that holds a queue what it is. It reads only.
func (c *Client) Server(ctx context.Context, queue string) (ServerInfo, error) {
	return ServerInfo{}, errors.New("not built yet")
}

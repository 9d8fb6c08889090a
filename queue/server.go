package queue

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
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
	LastSave                          time.Time // of an RDB file; its start if it has saved none since
	Loading                           bool
	Replicas                          int
	Clients                           int
	CommandsPerSecond                 int
	Evicted                           int64 // keys since its start

	Slow []SlowScript // of the slow log, latest first: at most 20, calls of our scripts before others
	// Unknown are the parts that Redis did not tell (info, time, config, slowlog), by the reason it gave: CONFIG and SLOWLOG are
	// often not permitted.
	Unknown map[string]string
}

// Server asks the Redis that holds a queue what it is; on a Cluster, the node that serves the queue. It reads only, and needs
// no right: what Redis does not permit is in Unknown. ErrUnavailable if it does not answer.
func (c *Client) Server(ctx context.Context, queue string) (ServerInfo, error) {
	if !isQueueName(queue) {
		return ServerInfo{}, errQueueName
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	n, err := c.ask.nodeOf(ctx, keysOf(queue).scheduled())
	if err != nil {
		return ServerInfo{}, classify(err, false) // reads only
	}
	info, clock := redis.NewStringCmd(ctx, "INFO"), redis.NewTimeCmd(ctx, "TIME")
	fsync := redis.NewMapStringStringCmd(ctx, "CONFIG", "GET", "appendfsync")
	slow := redis.NewSlowLogCmd(ctx, "SLOWLOG", "GET", mostSlowRead)
	n.exchange(ctx, info, fsync, slow)
	began := time.Now() // now there is a connection, and the clock costs one round trip
	n.exchange(ctx, clock)
	took := time.Since(began)
	s := ServerInfo{RoundTrip: took, Mode: cmp.Or(c.address.topology, "standalone"), Unknown: map[string]string{}}
	for part, cmd := range map[string]redis.Cmder{"time": clock, "info": info, "config": fsync, "slowlog": slow} {
		n.learn(cmd.Err())
		var answer redis.Error
		if err := cmd.Err(); errors.As(err, &answer) {
			s.Unknown[part] = answer.Error()
		} else if err != nil {
			return ServerInfo{}, classify(err, false)
		}
	}
	if s.Now = clock.Val(); !s.Now.IsZero() {
		s.Skew = s.Now.Sub(began.Add(took / 2))
	}
	s.Fsync = fsync.Val()["appendfsync"]
	s.told(fieldsOf(info.Val()))
	s.Slow = slowScripts(slow.Val())
	return s, nil
}

// told reads what INFO told.
func (s *ServerInfo) told(fields map[string]string) {
	n := func(name string) int64 {
		v, _ := strconv.ParseInt(fields[name], 10, 64)
		return v
	}
	failed := func(name string) bool { return fields[name] != "" && fields[name] != "ok" }
	if s.Product, s.Version = "redis", fields["redis_version"]; fields["valkey_version"] != "" {
		s.Product, s.Version = "valkey", fields["valkey_version"]
	}
	if fields["redis_mode"] == "cluster" {
		s.Mode = "cluster"
	}
	if s.Role = fields["role"]; s.Role == "slave" {
		s.Role = "replica"
	}
	s.Uptime = time.Duration(n("uptime_in_seconds")) * time.Second
	s.MemoryUsed, s.MemoryPeak, s.MemoryMax, s.Policy = n("used_memory"), n("used_memory_peak"), n("maxmemory"), fields["maxmemory_policy"]
	s.Fragmentation, _ = strconv.ParseFloat(fields["mem_fragmentation_ratio"], 64)
	s.AOF, s.Loading = n("aof_enabled") == 1, n("loading") == 1
	s.LastSaveFailed = failed("rdb_last_bgsave_status")
	s.LastAOFFailed = s.AOF && (failed("aof_last_write_status") || failed("aof_last_bgrewrite_status"))
	if saved := n("rdb_last_save_time"); saved > 0 {
		s.LastSave = time.Unix(saved, 0)
	}
	s.Replicas, s.Clients = int(n("connected_slaves")), int(n("connected_clients"))
	s.CommandsPerSecond, s.Evicted = int(n("instantaneous_ops_per_sec")), n("evicted_keys")
}

package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// node is a redis-server process of a group, for this test alone. busPort: the port 10000 above must be free as well.
func node(t testing.TB, busPort bool, arrange func(port int, dir string) *process) *Server {
	t.Helper()
	e, port, err := launch(func(port int) engine {
		for busPort && !listenable(port+10000) {
			if p, err := freePort(); err == nil {
				port = p
			}
		}
		p := arrange(port, t.TempDir())
		p.port = port
		return p
	})
	if err != nil {
		t.Fatalf("start a node: %v", err)
	}
	port = e.(*process).port
	t.Cleanup(e.remove)
	return newServer(t, e, Process, port, false)
}

// NeedProcess skips a test, as Own does, where no redis-server process can be had: a container does not do for it.
func NeedProcess(t testing.TB) {
	t.Helper()
	if !slices.Contains(realBackends(t), Process) {
		skip(t)
	}
}

// Sentinels are three sentinels that watch a master and its replicas.
type Sentinels struct {
	Servers   []*Server // the first was the master when all began
	Sentinels []*Server
}

// masterName is how the sentinels call the master.
const masterName = "jobs"

// NewSentinels starts a master, replicas of it, and three sentinels that take it for dead after 1 s. It returns when all
// know each other. args are for the servers.
func NewSentinels(t testing.TB, replicas int, args ...string) *Sentinels {
	t.Helper()
	NeedProcess(t)
	s := &Sentinels{}
	for i := range 1 + replicas {
		own := append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)
		if i > 0 {
			own = append(own, "--replicaof", "127.0.0.1", strconv.Itoa(s.Servers[0].port))
		}
		s.Servers = append(s.Servers, node(t, false, func(_ int, dir string) *process { return &process{args: own, dir: dir} }))
	}
	for _, r := range s.Servers[1:] {
		AwaitReplica(t, r)
	}
	for range 3 {
		s.Sentinels = append(s.Sentinels, node(t, false, func(port int, dir string) *process {
			file := filepath.Join(dir, "sentinel.conf")
			text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n"+
				"sentinel down-after-milliseconds %[3]s 1000\nsentinel failover-timeout %[3]s 5000\n", port, dir, masterName, s.Servers[0].port)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return &process{config: file}
		}))
	}
	for _, one := range s.Sentinels {
		Await(t, operation, "a sentinel to know the others", func() bool {
			cmd := redis.NewMapStringStringCmd(t.Context(), "SENTINEL", "MASTER", masterName)
			_ = one.client.Process(t.Context(), cmd)
			fields := cmd.Val()
			return fields["num-other-sentinels"] == "2" && fields["num-slaves"] == strconv.Itoa(replicas) && fields["flags"] == "master"
		})
	}
	return s
}

// URL is what REDIS_URL takes.
func (s *Sentinels) URL() string {
	return "redis+sentinel://" + addrs(s.Sentinels) + "/" + masterName
}

// Failover asks a sentinel to make a replica the master, in good order.
func (s *Sentinels) Failover(t testing.TB) {
	t.Helper()
	Await(t, operation, "a failover to be accepted", func() bool {
		return s.Sentinels[0].client.Do(t.Context(), "SENTINEL", "FAILOVER", masterName).Err() == nil
	})
}

// Master is the server that the sentinels name now, if it says that it is the master; else nil.
func (s *Sentinels) Master(t testing.TB) *Server {
	t.Helper()
	for _, one := range s.Sentinels {
		named, err := one.client.Do(t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName).StringSlice()
		if err != nil || len(named) != 2 {
			continue
		}
		for _, server := range s.Servers {
			if named[1] == strconv.Itoa(server.port) && Role(t, server) == "master" {
				return server
			}
		}
		return nil
	}
	return nil
}

// Role is master or slave, "" while the server does not answer.
func Role(t testing.TB, s *Server) string {
	t.Helper()
	role, _ := s.client.Do(t.Context(), "ROLE").Slice()
	if len(role) == 0 {
		return ""
	}
	return fmt.Sprint(role[0])
}

// AwaitReplica waits until a replica has taken over the data of its master.
func AwaitReplica(t testing.TB, s *Server) {
	t.Helper()
	Await(t, operation, "a replica to follow its master", func() bool {
		return strings.Contains(s.client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
}

// Nodes are a Cluster of several nodes.
type Nodes struct {
	Servers []*Server // the masters, then the replicas: as it was when all began
	masters int
}

// NewCluster starts a Cluster of masters, which share the slots, and one replica of each of the first of them. It returns
// when every node says cluster_state:ok. A node that does not answer for 1 s is taken for dead.
func NewCluster(t testing.TB, masters, replicas int, args ...string) *Nodes {
	t.Helper()
	NeedProcess(t)
	n := &Nodes{masters: masters}
	for range masters + replicas {
		n.Servers = append(n.Servers, node(t, true, func(port int, dir string) *process {
			return &process{dir: dir, args: append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
				"--cluster-announce-ip", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)}
		}))
	}
	ctx := t.Context()
	first := n.Servers[0]
	for i, s := range n.Servers {
		must(t, s.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < masters {
			must(t, s.client.ClusterAddSlotsRange(ctx, i*16384/masters, (i+1)*16384/masters-1).Err())
		}
		if i > 0 {
			must(t, s.client.ClusterMeet(ctx, "127.0.0.1", strconv.Itoa(first.port)).Err())
		}
	}
	for i, s := range n.Servers[masters:] {
		Await(t, operation, "a replica to know its master", func() bool {
			return s.client.ClusterReplicate(ctx, n.ID(t, n.Servers[i])).Err() == nil
		})
		AwaitReplica(t, s)
	}
	n.AwaitOK(t, n.Servers...)
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// URL is what REDIS_URL takes.
func (n *Nodes) URL() string { return "redis+cluster://" + addrs(n.Servers[:n.masters]) }

// ID is a node's name in the Cluster.
func (n *Nodes) ID(t testing.TB, s *Server) string {
	t.Helper()
	id, err := s.client.ClusterMyID(t.Context()).Result()
	must(t, err)
	return id
}

// AwaitOK waits until these nodes say that all slots are served, and agree on the number of nodes.
func (n *Nodes) AwaitOK(t testing.TB, servers ...*Server) {
	t.Helper()
	for _, s := range servers {
		Await(t, operation, "cluster_state:ok", func() bool {
			info := s.client.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(n.Servers)))
		})
	}
}

// Owner is the node that serves the queue's slot, as at least one of the others sees it.
func (n *Nodes) Owner(t testing.TB, queue string) *Server {
	t.Helper()
	for _, asked := range n.Servers {
		slot, err := asked.client.ClusterKeySlot(t.Context(), "{"+queue+"}").Result()
		if err != nil {
			continue
		}
		for _, s := range n.Servers {
			if Role(t, s) == "master" && serves(t.Context(), s.client, slot) {
				return s
			}
		}
	}
	t.Fatalf("no node serves queue %s", queue)
	return nil
}

// serves asks the node itself.
func serves(ctx context.Context, c *redis.Client, slot int64) bool {
	id := c.ClusterMyID(ctx).Val()
	for _, r := range c.ClusterSlots(ctx).Val() {
		if int64(r.Start) <= slot && slot <= int64(r.End) && len(r.Nodes) > 0 && r.Nodes[0].ID == id {
			return true
		}
	}
	return false
}

// QueueOn is a queue name of this test's own whose slot the server serves now.
func (n *Nodes) QueueOn(t testing.TB, s *Server) string {
	t.Helper()
	for range 200 {
		if name := Queue(t); n.Owner(t, name) == s {
			return name
		}
	}
	t.Fatalf("no queue name lies on %s", s.Addr())
	return ""
}

// Errors counts the answers of all nodes that begin with a word, MOVED say. They do so in Redis 6.2 and later.
func (n *Nodes) Errors(t testing.TB, word string) (sum int) {
	t.Helper()
	for _, s := range n.Servers {
		_, behind, _ := strings.Cut(s.client.Info(t.Context(), "errorstats").Val(), "errorstat_"+word+":count=")
		digits, _, _ := strings.Cut(behind, "\r")
		count, _ := strconv.Atoi(digits)
		sum += count
	}
	return sum
}

// Move moves the slot of a queue with its keys to another node, as CLUSTER SETSLOT and MIGRATE do it: one key at a time.
// between is called after each step, while the slot is in both places.
func (n *Nodes) Move(t testing.TB, queue string, to *Server, between func()) {
	t.Helper()
	ctx, from := t.Context(), n.Owner(t, queue)
	slot := from.client.ClusterKeySlot(ctx, "{"+queue+"}").Val()
	source, target := n.ID(t, from), n.ID(t, to)
	must(t, to.client.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", source).Err())
	must(t, from.client.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", target).Err())
	between()
	for {
		keys := from.client.ClusterGetKeysInSlot(ctx, int(slot), 1).Val()
		if len(keys) == 0 {
			break
		}
		must(t, from.client.Migrate(ctx, "127.0.0.1", strconv.Itoa(to.port), keys[0], 0, operation).Err())
		between()
	}
	for _, s := range []*Server{to, from} {
		must(t, s.client.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", target).Err())
	}
}

func addrs(servers []*Server) string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.Addr()
	}
	return strings.Join(list, ",")
}

package redistest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Client looks at whatever server the sentinels name as the master; it is closed when the test ends.
func (s *Sentinels) Client(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: masterName, SentinelAddrs: strings.Split(addrs(s.Sentinels), ",")})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Client looks at the whole Cluster; it is closed when the test ends.
func (n *Nodes) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(addrs(n.Servers), ",")})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// watcher is the user as whom sentinels and replicas talk to servers after PrepareSplit.
const watcher = "watcher"

// PrepareSplit makes sentinels and replicas talk to the servers as a user of their own, so that CutOff can tell them from
// clients. It returns when the sentinels do.
func (s *Sentinels) PrepareSplit(t testing.TB) {
	t.Helper()
	for _, server := range s.Servers {
		s.Rejoin(t, server)
		server.Config(t, "masteruser", watcher)
		server.Config(t, "masterauth", watcher)
	}
	for _, one := range s.Sentinels {
		must(t, one.client.Do(t.Context(), "SENTINEL", "SET", masterName, "auth-user", watcher).Err())
		must(t, one.client.Do(t.Context(), "SENTINEL", "SET", masterName, "auth-pass", watcher).Err())
	}
	for _, server := range s.Servers {
		for _, line := range strings.Split(server.client.ClientList(t.Context()).Val(), "\n") {
			var id int
			if _, err := fmt.Sscanf(line, "id=%d ", &id); err == nil && strings.Contains(line, " name=sentinel-") {
				_ = server.client.ClientKillByFilter(t.Context(), "ID", fmt.Sprint(id)).Err() // it may be gone
			}
		}
		Await(t, operation, "the sentinels to have logged in", func() bool {
			n := strings.Count(server.client.ClientList(t.Context()).Val(), " user="+watcher+" ")
			return n >= 2*len(s.Sentinels) // each has one connection for commands and one that listens
		})
	}
}

// CutOff parts a server from the sentinels and from its replicas while clients still reach it: they are on its side of
// the split. Call PrepareSplit first.
func (s *Sentinels) CutOff(t testing.TB, server *Server) {
	t.Helper()
	must(t, server.client.Do(t.Context(), "ACL", "SETUSER", watcher, "-@all").Err())
	must(t, server.client.ClientKillByFilter(t.Context(), "TYPE", "replica").Err())
}

// Rejoin ends CutOff.
func (s *Sentinels) Rejoin(t testing.TB, server *Server) {
	t.Helper()
	must(t, server.client.Do(t.Context(), "ACL", "SETUSER", watcher, "on", ">"+watcher, "~*", "&*", "+@all").Err())
}

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

// watcher is the user as whom sentinels and replicas talk to servers with the arguments Watched.
const watcher = "watcher"

// Watched are arguments of servers for NewSentinels by which CutOff can tell sentinels and replicas from clients. Call
// PrepareSplit then.
func Watched() []string {
	return []string{"--user", watcher, "on", ">" + watcher, "~*", "&*", "+@all", "--masteruser", watcher, "--masterauth", watcher}
}

// PrepareSplit makes the sentinels talk to the servers as a user of their own, and returns when they do.
func (s *Sentinels) PrepareSplit(t testing.TB) {
	t.Helper()
	for _, one := range s.Sentinels {
		must(t, one.client.Do(t.Context(), "SENTINEL", "SET", masterName, "auth-user", watcher).Err())
		must(t, one.client.Do(t.Context(), "SENTINEL", "SET", masterName, "auth-pass", watcher).Err())
	}
	for _, server := range s.Servers {
		for line := range strings.Lines(server.client.ClientList(t.Context()).Val()) {
			var id int
			if _, err := fmt.Sscanf(line, "id=%d ", &id); err == nil && strings.Contains(line, " name=sentinel-") {
				_ = server.client.ClientKillByFilter(t.Context(), "ID", fmt.Sprint(id)).Err() // it may be gone
			}
		}
		Await(t, operation, "the sentinels to have logged in", func() bool {
			n := 0
			for line := range strings.Lines(server.client.ClientList(t.Context()).Val()) {
				if strings.Contains(line, " name=sentinel-") && strings.Contains(line, " user="+watcher+" ") {
					n++
				}
			}
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
	must(t, server.client.Do(t.Context(), "ACL", "SETUSER", watcher, "+@all").Err())
}

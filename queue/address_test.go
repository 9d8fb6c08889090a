package queue

import (
	"slices"
	"strings"
	"testing"

	"github.com/punctualq/punctual/integration/redistest"
)

func TestURLs(t *testing.T) {
	for _, c := range []struct{ url, hosts, master, user, password string }{
		{"redis://h", "h:6379", "", "", ""},
		{"redis+sentinel://u:p%2Fw@a,[::1]:1/jobs/2?sentinel_username=x&sentinel_password=y", "a:26379 [::1]:1", "jobs", "u", "p/w"},
		{"rediss+cluster://:p@a,b:7/0?skip_verify=true", "a:6379 b:7", "", "", "p"},
	} {
		a, err := parseURL(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if got := strings.Join(a.hosts, " "); got != c.hosts || a.master != c.master || a.opts.Username != c.user || a.opts.Password != c.password {
			t.Errorf("%s: %s, master %s, user %s, password %s", c.url, got, a.master, a.opts.Username, a.opts.Password)
		}
		if a.topology == sentinel && (a.opts.DB != 2 || a.watchers.user != "x" || a.watchers.password != "y") {
			t.Errorf("%s: database %d, sentinels %v", c.url, a.opts.DB, a.watchers)
		}
		if tls := a.opts.TLSConfig; a.topology == onCluster && (tls == nil || tls.ServerName != "" || !tls.InsecureSkipVerify) {
			t.Errorf("%s: TLS %+v", c.url, tls)
		}
	}
	for _, url := range []string{
		"redis+sentinel://:hunter2@h/", "redis+cluster://:hunter2@h/1", "redis://:hunter2@a,b/0", "redis+x://:hunter2@h", "redis+sentinel://:hunter2@a,,b/m",
		"redis://:hunter2@h?ca=/hunter2", "rediss://:hunter2@h?ca=/hunter2", "rediss://h?cert=/hunter2", "rediss://h?cert=/hunter2&key=/hunter2",
	} {
		if _, err := Hosts(url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSlotsAreThoseOfRedis(t *testing.T) {
	s := redistest.Cluster(t)
	for _, key := range []string{keyQueues, keysOf("default").jobs(), keysOf("a-b_9").processing("w"), "{}x", "x{y", "a{b}{c}", ""} {
		want, err := s.Client().ClusterKeySlot(t.Context(), key).Result()
		if err != nil || slotOf(key) != int(want) {
			t.Errorf("%q: slot %d, want %d (%v)", key, slotOf(key), want, err)
		}
	}
}

func TestAWrongTableCostsARedirectOnly(t *testing.T) {
	n := redistest.NewCluster(t, 2, 0)
	c, err := Open(t.Context(), n.URL(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nodes := c.cluster.nodes()
	if len(nodes) != 2 {
		t.Fatalf("%v", nodes)
	}
	for range 50 {
		q := redistest.Queue(t)
		known := c.cluster.known(slotOf(keysOf(q).meta()))
		c.cluster.moved(slotOf(keysOf(q).meta()), nodes[1-slices.Index(nodes, known)])
		if _, err := c.Enqueue(t.Context(), NewJob{Queue: q}); err != nil {
			t.Fatal(err)
		}
	}
}

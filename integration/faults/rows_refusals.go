package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// refusals plays every refusal; in the quick form five at a time.
func refusals(r *Run) {
	turns := make(chan struct{}, r.Times(5, 1))
	var playing sync.WaitGroup
	for _, f := range slices.Concat(ofMemory, ofStart, ofRights, ofEncryption, ofReplication, ofDisk, ofNobody, ofCluster) {
		playing.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			f.play(r)
		})
	}
	playing.Wait()
}

// do runs a command as the test's own user; what fails ends the scene.
func (x *refused) do(args ...any) {
	x.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := x.Client.Do(ctx, args...).Err(); err != nil {
		x.Fatalf("%v: %v", args, err)
	}
}

func (x *refused) config(name, value string) { x.Helper(); x.do("CONFIG", "SET", name, value) }

// disconnect ends all connections of the processes under test.
func (x *refused) disconnect(user string) { x.Helper(); x.do("CLIENT", "KILL", "USER", user) }

// set is a refusal that a setting makes.
func set(name, bad, good string) (begin, end func(*refused)) {
	return func(x *refused) { x.config(name, bad) }, func(x *refused) { x.config(name, good) }
}

var ofMemory = func() []refusal {
	begin, end := set("maxmemory", "1", "0")
	full := refusal{name: "OOM", says: "OOM command not allowed", ready: "redis-full", code: "storage-full", unseen: true, begin: begin, end: end}
	crowd := refusal{name: "max number of clients", ready: "redis-unavailable",
		begin: func(x *refused) { x.config("maxclients", "1"); x.disconnect(user) },
		end: func(x *refused) {
			if strings.Contains(x.Client.Info(x.Context(), "stats").Val(), "rejected_connections:0\r\n") {
				x.Error("Redis has rejected no connection") // the API hardly ever sees what it said: the connection is reset
			}
			x.config("maxclients", "1000")
		}}
	return []refusal{full, crowd}
}()

var ofStart = []refusal{
	{name: "LOADING", says: "LOADING Redis", ready: "redis-loading", redis: []string{"--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"},
		begin: func(x *refused) {
			_, err := x.Client.Pipelined(x.Context(), func(p redis.Pipeliner) error {
				for n := range x.Run.Times(20000, 60000) { // each costs 0.1 ms to load, and more where timers are coarse
					p.Set(x.Context(), fmt.Sprint("filler:", n), "x", 0)
				}
				return nil
			})
			if err != nil {
				x.Fatal(err)
			}
			// Of an RDB Redis answers after each interval of bytes, some 85 of these keys; of appended commands only
			// after 1024, which may take longer than a client waits.
			x.do("BGREWRITEAOF")
			redistest.Await(x.T, 10*time.Second, "the append-only file to begin with an RDB", func() bool {
				info := x.Client.Info(x.Context(), "persistence").Val()
				return strings.Contains(info, "aof_rewrite_in_progress:0\r\n") && strings.Contains(info, "aof_rewrite_scheduled:0\r\n")
			})
			x.Redis.Kill(x.T)
			started := make(chan struct{})
			go func() { defer close(started); x.Redis.Start(x.T) }() // returns when all is loaded
			x.mend = func() { <-started }
			redistest.Await(x.T, 10*time.Second, "LOADING", func() bool {
				return strings.HasPrefix(fmt.Sprint(x.Client.Ping(x.Context()).Err()), "LOADING")
			})
		}},
	{name: "BUSY", says: "BUSY Redis", ready: "redis-unavailable", redis: []string{"--lua-time-limit", "50"},
		begin: func(x *refused) {
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				c := redis.NewClient(&redis.Options{Addr: x.Redis.Addr(), MaxRetries: -1, ReadTimeout: -1})
				defer c.Close()
				_ = c.Eval(context.Background(), "while true do end", nil).Err() // until it is killed
			}()
			x.mend = func() { x.do("SCRIPT", "KILL"); <-ended }
		}},
}

var ofRights = []refusal{
	{name: "NOAUTH", says: "unauthenticated", ready: "redis-unavailable",
		setup: func(x *refused) { // the processes come without a password, and the test itself as the other user
			x.URL = x.Redis.URL()
			own := redis.NewClient(&redis.Options{Addr: x.Redis.Addr(), Username: user, Password: x.password, DisableIdentity: true})
			x.Cleanup(func() { _ = own.Close() })
			x.Client = own
		},
		begin: func(x *refused) { x.config("requirepass", x.password); x.disconnect("default") },
		end:   func(x *refused) { x.config("requirepass", "") }},
	{name: "WRONGPASS", says: "WRONGPASS ", ready: "redis-unavailable",
		begin: func(x *refused) { x.do("ACL", "SETUSER", user, "resetpass", ">another"); x.disconnect(user) },
		end:   func(x *refused) { x.do("ACL", "SETUSER", user, "resetpass", ">"+x.password) }},
	{name: "NOPERM", says: "NOPERM ", ready: "redis-not-permitted",
		begin: func(x *refused) { x.do("ACL", "SETUSER", user, "-@all") },
		end:   func(x *refused) { x.do("ACL", "SETUSER", user, "+@all") }},
}

var ofEncryption = []refusal{encrypted("TLS certificate expired", "expired", "certificate has expired"), encrypted("TLS certificate of another CA", "foreign", "signed by unknown authority")}

func encrypted(name, bad, says string) refusal {
	var c certificates
	swap := func(x *refused, certificate string) {
		x.config("tls-cert-file", c.file(certificate))
	}
	return refusal{name: name, says: says, ready: "redis-unavailable",
		setup: func(x *refused) {
			c = newCertificates(x.T)
			addr := programs.FreeAddr(x.T)
			_, port, _ := net.SplitHostPort(addr)
			ctx, cancel := context.WithTimeout(x.Context(), 10*time.Second)
			defer cancel()
			err := x.Client.Do(ctx, "CONFIG", "SET", "tls-auth-clients", "no", "tls-key-file", c.file("key"), "tls-cert-file", c.file("good"),
				"tls-ca-cert-file", c.file("ca"), "tls-port", port).Err()
			if err != nil {
				x.NotTried("%s: this redis-server has no TLS: %v", name, err)
			}
			x.URL = strings.Replace(strings.Replace(x.URL, "redis://", "rediss://", 1), x.Redis.Addr(), addr, 1)
			x.settings = []string{"SSL_CERT_FILE=" + c.file("ca")}
			x.Scene.settings = append(x.Scene.settings, x.settings...)
		},
		begin: func(x *refused) { swap(x, bad); x.disconnect(user) },
		end:   func(x *refused) { swap(x, "good") }}
}

var ofReplication = func() []refusal {
	alone, together := set("min-replicas-to-write", "1", "0")
	demote := func(x *refused) { x.do("REPLICAOF", "127.0.0.1", "1") } // where nobody is
	promote := func(x *refused) { x.do("REPLICAOF", "NO", "ONE") }
	return []refusal{
		{name: "NOREPLICAS", says: "NOREPLICAS ", ready: "redis-no-replicas", begin: alone, end: together},
		{name: "READONLY", says: "READONLY ", ready: "redis-read-only", begin: demote, end: promote},
		{name: "MASTERDOWN", says: "MASTERDOWN ", ready: "redis-read-only", redis: []string{"--replica-serve-stale-data", "no"}, begin: demote, end: promote},
	}
}()

var ofNobody = []refusal{
	{name: "connection refused", says: "connection refused", ready: "redis-unavailable",
		begin: func(x *refused) { x.Redis.Stop(x.T) }, end: func(x *refused) { x.Redis.Start(x.T) }},
	{name: "hang", ready: "redis-unavailable",
		begin: func(x *refused) { x.Redis.Pause(x.T) }, end: func(x *refused) { x.Redis.Resume(x.T) }},
}

// ofDisk: Redis writes to a small file system of its own, which is then full.
var ofDisk = []refusal{
	{name: "disk full, append-only file", says: "MISCONF Errors writing to the AOF", ready: "redis-read-only", redis: []string{"--appendonly", "no", "--enable-protected-configs", "yes"},
		setup: func(x *refused) { x.config("dir", x.smallDisk()); x.config("appendonly", "yes") },
		begin: func(x *refused) { x.fill() },
		end:   func(x *refused) { x.mend(); x.awaitInfo("aof_last_write_status:ok") }},
	{name: "disk full, RDB", says: "MISCONF Redis is configured to save RDB", ready: "redis-read-only", redis: []string{"--appendonly", "no", "--enable-protected-configs", "yes"},
		setup: func(x *refused) { x.config("dir", x.smallDisk()); x.config("save", "3600 1") },
		begin: func(x *refused) { x.fill(); x.do("BGSAVE"); x.awaitInfo("rdb_last_bgsave_status:err") },
		end:   func(x *refused) { x.mend(); x.do("BGSAVE"); x.awaitInfo("rdb_last_bgsave_status:ok") }},
}

// smallDisk mounts a file system of 2 MiB.
func (x *refused) smallDisk() string {
	x.Helper()
	dir := filepath.Join(x.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		x.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "punctual", dir).CombinedOutput(); err != nil {
		x.NotTried("disk full: no file system can be mounted here: %v: %s", err, out)
	}
	x.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			x.Errorf("umount: %v: %s", err, out)
		}
	})
	x.disk = dir
	return dir
}

// fill leaves no byte free on the small disk, until mend.
func (x *refused) fill() {
	x.Helper()
	name := filepath.Join(x.disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		x.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		x.Fatalf("fill the disk: %v", err)
	}
	x.mend = func() {
		if err := os.Remove(name); err != nil {
			x.Fatal(err)
		}
	}
}

// awaitInfo waits for a line of INFO persistence.
func (x *refused) awaitInfo(line string) {
	x.Helper()
	redistest.Await(x.T, 20*time.Second, line, func() bool {
		return strings.Contains(x.Client.Info(x.Context(), "persistence").Val(), line+"\r\n")
	})
}

// ofCluster: nobody serves our slot.
var ofCluster = []refusal{{name: "CLUSTERDOWN", says: "CLUSTERDOWN ", ready: "redis-unavailable",
	setup: func(x *refused) {
		node := redistest.Cluster(x.T, "--cluster-node-timeout", "1000")
		x.URL = strings.Replace(x.URL, x.Redis.Addr(), node.Addr(), 1)
		x.Redis, x.Client = node, node.Client()
		x.do("ACL", "SETUSER", user, "on", ">"+x.password, "~*", "&*", "+@all")
	},
	begin: func(x *refused) { x.do("CLUSTER", "DELSLOTSRANGE", 0, 16383) },
	end: func(x *refused) { // it is over when the node says so, which it does after half a second
		x.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
		redistest.Await(x.T, 10*time.Second, "cluster_state:ok", func() bool {
			return strings.Contains(x.Redis.Client().ClusterInfo(x.Context()).Val(), "cluster_state:ok")
		})
	}}}

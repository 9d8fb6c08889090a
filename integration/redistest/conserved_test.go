package redistest

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	idA = "01890000-0000-7000-8000-00000000000a"
	idB = "01890000-0000-7000-8000-00000000000b"
)

// sound writes a queue that obeys the rule: one job in each place.
func sound(t *testing.T, c *redis.Client, queue string) {
	t.Helper()
	k := "punctual:{" + queue + "}:"
	run(t, c,
		[]any{"HSET", k + "jobs", idA, `{"type":"message"}`, idB, `{}`, "c", `{}`, "d", `{}`},
		[]any{"ZADD", k + "scheduled", 1, idA},
		[]any{"RPUSH", k + "processing:host:1:x", "7:" + idB},
		[]any{"ZADD", k + "workers", 1, "host:1:x", 1, "host:2:idle"},
		[]any{"ZADD", k + "dead", 1, "c"},
		[]any{"ZADD", k + "done", 1, "d"},
		[]any{"HSET", k + "attempts", idB, 1},
		[]any{"HSET", k + "errors", "c", `[]`},
	)
}

func run(t *testing.T, c *redis.Client, commands ...[]any) {
	t.Helper()
	for _, command := range commands {
		if err := c.Do(context.Background(), command...).Err(); err != nil {
			t.Fatalf("%v: %v", command, err)
		}
	}
}

func TestAssertConserved(t *testing.T) {
	cases := []struct {
		name, key string
		breach    []any // a command with the key left out
		says      string
	}{
		{"twice in two places", "dead", []any{"ZADD", 1, idA}, idA + " is in 2 places: dead, scheduled"},
		{"twice in one list", "processing:host:1:x", []any{"RPUSH", "8:" + idB}, "2 places: processing:host:1:x, processing:host:1:x"},
		{"in no place", "jobs", []any{"HSET", "e", "{}"}, "e has a record in jobs, but is in no place"},
		{"no record", "done", []any{"ZADD", 1, "ghost"}, "ghost is in done, but has no record in jobs"},
		{"no record, processing", "processing:host:1:x", []any{"RPUSH", "9:ghost"}, "ghost is in processing:host:1:x, but has no record"},
		{"unknown worker", "workers", []any{"ZREM", "host:1:x"}, "processing:host:1:x belongs to no worker"},
		{"malformed element", "processing:host:1:x", []any{"RPUSH", "x:" + idA}, `holds "x:` + idA + `", which is not <claim number>:<id>`},
		{"record not JSON", "jobs", []any{"HSET", idA, "{"}, "the record of " + idA + " is not JSON"},
		{"attempts not a number", "attempts", []any{"HSET", idB, "0"}, `attempts of ` + idB + ` are "0"`},
		{"attempts without a job", "attempts", []any{"HSET", "ghost", 1}, "attempts holds ghost"},
		{"errors without a job", "errors", []any{"HSET", "ghost", "[]"}, "errors holds ghost"},
		{"wrong type", "scheduled", []any{"SET", "text"}, "WRONGTYPE"},
	}
	c := Any(t).Client()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			queue := Queue(t)
			sound(t, c, queue)
			AssertConserved(t, c, queue)
			command := append([]any{tc.breach[0], "punctual:{" + queue + "}:" + tc.key}, tc.breach[1:]...)
			run(t, c, command)
			said := failure(t, func(t testing.TB) { AssertConserved(t, c, queue) })
			if !strings.Contains(said, tc.says) {
				t.Errorf("said %q, want %q", said, tc.says)
			}
		})
	}
}

func TestAssertConservedReportsEveryBreach(t *testing.T) {
	c, queue := Any(t).Client(), Queue(t)
	sound(t, c, queue)
	k := "punctual:{" + queue + "}:"
	run(t, c, []any{"ZADD", k + "dead", 1, "ghost"}, []any{"HSET", k + "jobs", "lost", "{}"})
	said := failure(t, func(t testing.TB) { AssertConserved(t, c, queue) })
	if !strings.Contains(said, "ghost is in dead") || !strings.Contains(said, "lost has a record") {
		t.Errorf("said %q", said)
	}
}

// A job that moves all the time is in one place at every instant: no false alarm.
func TestAssertConservedWhileJobsMove(t *testing.T) {
	s, queue := Any(t), Queue(t)
	k := "punctual:{" + queue + "}:"
	sound(t, s.Client(), queue)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for from, to := "scheduled", "done"; ; from, to = to, from {
			select {
			case <-stop:
				return
			default:
			}
			_, err := s.Client().TxPipelined(context.Background(), func(tx redis.Pipeliner) error {
				tx.ZRem(context.Background(), k+from, idA)
				return tx.ZAdd(context.Background(), k+to, redis.Z{Score: 1, Member: idA}).Err()
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 100 {
		AssertConserved(t, s.Client(), queue)
	}
	close(stop)
	<-ended
}

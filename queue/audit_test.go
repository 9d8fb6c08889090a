package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func (r *rig) audit(fix bool) queue.AuditReport {
	r.Helper()
	got, err := r.client.Audit(r.Context(), r.name, queue.AuditOptions{Fix: fix})
	if err != nil {
		r.Fatal(err)
	}
	return got
}

func found(r queue.AuditReport) []string {
	all := []string{}
	for _, f := range r.Findings {
		all = append(all, f.Code)
	}
	return all
}

// Each damaged state is found, as itself and as nothing else, by an audit that changes nothing; and Fix mends it, or leaves
// it as it is.
func TestAuditFindsEachDamage(t *testing.T) {
	servers := []*redistest.Server{redistest.Any(t)}
	if servers[0].Backend() != "embedded" {
		servers = append(servers, redistest.Embedded(t))
	}
	tried := map[string]bool{}
	for _, s := range servers {
		for _, d := range corpus {
			tried[d.code] = true
			t.Run(strings.TrimSuffix(s.Backend()+"/"+d.code+"/"+d.name, "/"), func(t *testing.T) { damageOne(t, s, d) })
		}
	}
	for _, code := range queue.AuditCodes() {
		equal(t, code+" is in the corpus", tried[code], true)
	}
}

// damagedRig is a queue with one thing wrong.
func damagedRig(t *testing.T, s *redistest.Server, d damaged) *rig {
	t.Helper()
	r := rigOn(t, s, queue.Options{Timeout: bound})
	t.Cleanup(func() { // what is left of the damage must not fail the conservation check of the rig
		if names := s.Client().Keys(context.Background(), r.key("*")).Val(); len(names) > 0 {
			s.Client().Del(context.Background(), names...)
		}
	})
	healthy(r)
	equal(t, "before", found(r.audit(false)), []string{})
	d.damage(r)
	return r
}

func damageOne(t *testing.T, s *redistest.Server, d damaged) {
	r := damagedRig(t, s, d)
	before := r.everything()
	got := r.audit(false)
	r.unchanged(before)
	want := []string{d.code}
	if d.code == "list-unregistered" { // the heartbeat of the same worker means nothing, either
		want = []string{"heartbeat-unregistered", "list-unregistered"}
	}
	equal(t, "found", found(got), want)
	f := got.Findings[len(got.Findings)-1]
	if d.id != "" {
		equal(t, "id", f.ID, d.id)
	}
	equal(t, "fixable", f.Fixable, d.left == "")
	equal(t, "left", got.Left(), len(want))

	fixed := r.audit(true)
	equal(t, "found and fixed", found(fixed), append(want, d.more...))
	f = fixed.Findings[len(want)-1]
	equal(t, "fixed", f.Fixed, d.left == "")
	if d.did != "" {
		equal(t, "did", f.Did, d.did)
	}
	if d.left != "" {
		r.unchanged(before)
		equal(t, "left", found(r.audit(false)), []string{d.left})
		return
	}
	equal(t, "nothing is left", fixed.Left(), 0)
	equal(t, "afterwards", found(r.audit(false)), []string{})
	if d.after != nil {
		d.after(r)
	}
	redistest.AssertConserved(t, r.raw, r.name)
}

// The guide, in both languages, tells what each code means.
func TestAuditCodesAreInTheGuide(t *testing.T) {
	for _, file := range []string{"../docs/en/Queue-Job.md", "../docs/ja/Queue-Job.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range queue.AuditCodes() {
			if !strings.Contains(string(text), "| `"+code+"` |") {
				t.Errorf("%s does not say what %s means", file, code)
			}
		}
	}
}

func TestAuditCounts(t *testing.T) {
	r := newRig(t)
	healthy(r)
	got := r.audit(false)
	got.TookMS = 0
	equal(t, "report", got, queue.AuditReport{Queue: r.name, Jobs: 7, Scheduled: 4, Processing: 1, Dead: 1, Done: 1, Workers: 2, Findings: []queue.Finding{}})
}

func TestAuditOfNothing(t *testing.T) {
	r := newRig(t)
	equal(t, "findings", found(r.audit(true)), []string{"queue-unlisted"})
	r.raw.SRem(t.Context(), "punctual:queues", r.name)
	_, err := r.client.Audit(t.Context(), "No Queue", queue.AuditOptions{})
	equal(t, "bad name", errors.Is(err, queue.ErrInvalid), true)
}

// A queue whose name was evicted is found by its keys.
func TestQueuesWithKeys(t *testing.T) {
	r := newRig(t)
	healthy(r)
	r.raw.SRem(t.Context(), "punctual:queues", r.name)
	for _, key := range []string{"punctual:{}:jobs", "punctual:{No Queue}:jobs", "other:{x}:jobs"} {
		r.raw.Set(t.Context(), key, "", time.Minute)
	}
	got, err := r.client.QueuesWithKeys(t.Context())
	if err != nil || !slices.Contains(got, r.name) || slices.ContainsFunc(got, func(q string) bool { return q == "" || q == "No Queue" || q == "x" }) {
		t.Errorf("queues by their keys: %q (%v), want %s and no strangers", got, err, r.name)
	}
	equal(t, "sorted", slices.IsSorted(got), true)
}

// More findings than are listed are counted, and not mended.
func TestAuditListsABoundedNumber(t *testing.T) {
	r := newRig(t)
	ids := r.put(make([]queue.NewJob, 7)...)
	r.do("DEL", k("scheduled"))
	got, err := r.client.Audit(t.Context(), r.name, queue.AuditOptions{Fix: true, Most: 3})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "listed, unlisted, left", []int{len(got.Findings), got.Unlisted, got.Left()}, []int{3, 4, 4})
	equal(t, "mended", r.raw.ZCard(t.Context(), r.key("scheduled")).Val(), int64(3))
	r.audit(true)
	equal(t, "jobs", len(ids), int(r.raw.ZCard(t.Context(), r.key("scheduled")).Val()))
}

// A queue of many jobs is read by small steps: nothing that Redis is asked is as long as the queue.
func TestAuditReadsALittleAtATime(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	const n = 40_000
	fill(r, n)
	got := r.audit(false)
	equal(t, "findings", got.Findings, []queue.Finding{})
	equal(t, "jobs", got.Jobs, n)
	t.Logf("%d jobs in %d ms", n, got.TookMS)

	r.do("CONFIG", "RESETSTAT")
	r.audit(false)
	stats, err := r.raw.InfoMap(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name := range stats["Commandstats"] {
		seen[strings.TrimPrefix(name, "cmdstat_")] = true
	}
	for _, unbounded := range []string{"keys", "hkeys", "hvals", "smembers", "zrange", "zrangebyscore", "sort"} {
		equal(t, "the audit sends "+unbounded, seen[unbounded], false)
	}
	equal(t, "hgetall, of at most 500 groups", strings.HasPrefix(stats["Commandstats"]["cmdstat_hgetall"], "calls=1,"), true)
	for _, used := range []string{"hscan", "zscan", "scan", "evalsha"} {
		equal(t, "the audit sends "+used, seen[used], true)
	}
}

// fill writes n jobs as enqueue would, in few commands.
func fill(r *rig, n int) {
	r.Helper()
	jobs := make([]queue.NewJob, 100)
	for i := range jobs {
		jobs[i].Delay = time.Hour
	}
	r.put(jobs...)
	due := r.now() + time.Hour.Milliseconds()
	for from := len(jobs); from < n; from += 1000 {
		pipe := r.raw.Pipeline()
		records, scores := []any{}, []redis.Z{}
		for i := from; i < min(n, from+1000); i++ {
			id := fmt.Sprintf("job-%d", i)
			records, scores = append(records, id, `{"type":"message"}`), append(scores, redis.Z{Score: float64(due + int64(i)), Member: id})
		}
		pipe.HSet(r.Context(), r.key("jobs"), records...)
		pipe.ZAdd(r.Context(), r.key("scheduled"), scores...)
		if _, err := pipe.Exec(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
	r.do("HSET", k("stats"), "enqueued", n)
}

// An audit can be ended, and says that it was.
func TestAuditEndsWithItsContext(t *testing.T) {
	r := newRig(t)
	healthy(r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.client.Audit(ctx, r.name, queue.AuditOptions{Fix: true})
	equal(t, "error", errors.Is(err, context.Canceled), true)
}

func TestAuditOfARedisThatIsAway(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	healthy(r)
	s.Stop(t)
	_, err := r.client.Audit(t.Context(), r.name, queue.AuditOptions{})
	expectUnavailable(t, "audit", err)
	s.Start(t)
}

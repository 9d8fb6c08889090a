package browser

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
)

var million = flag.Bool("million", false, "measure the pages at a million scheduled and 100,000 dead jobs")

const (
	manyScheduled = 1_000_000
	manyDead      = 100_000
	timesAsked    = 20
	listeners     = 10
	listenedFor   = 20 * time.Second
	mostRecords   = 1000 // that a page may look at
)

// TestMillion measures what people wait for with many jobs, and what their browsers cost Redis. It fails on what the machine has
// no part in: a page that looks at more records than it may.
func TestMillion(t *testing.T) {
	if !*million {
		t.Skip("measures only when asked to: go test -run TestMillion -timeout 1h . -args -million")
	}
	s := newScene(t)
	s.fillUp()
	c := s.client()
	dead, err := s.queue.List(t.Context(), name, queue.Listing{State: queue.Dead, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	groups, _, err := s.queue.DeadGroups(t.Context(), name)
	if err != nil || len(groups) == 0 {
		t.Fatalf("no groups: %v", err)
	}
	first, err := s.queue.List(t.Context(), name, queue.Listing{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%-36s %10s %10s %8s", "page", "median", "most", "records")
	for _, path := range []string{"/ui", "/ui?range=24h", "/ui/jobs", "/ui/jobs?cursor=" + url.QueryEscape(first.Next), "/ui/jobs?type=report.make", "/ui/jobs?text=nowhere",
		"/ui/jobs?state=dead", "/ui/jobs?state=dead&text=nowhere", "/ui/jobs?state=dead&group=" + groups[len(groups)-1].ID, jobPage(first.Jobs[0].ID), jobPage(dead.Jobs[0].ID),
		"/ui/dead", "/ui/workers", "/ui/redis", "/ui/trail", "/ui/all?queue=default&state=scheduled&verb=cancel", "/ui/all?queue=default&state=dead&verb=redrive&group=" + groups[0].ID} {
		var took []time.Duration
		for range timesAsked {
			took = append(took, c.ask(path))
		}
		slices.Sort(took)
		records := s.recordsOf(func() { c.ask(path) })
		t.Logf("%-36.36s %10s %10s %8d", path, took[len(took)/2].Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond), records)
		if records > mostRecords {
			t.Errorf("%s looks at %d records, more than %d", path, records, mostRecords)
		}
	}
	const counted = "/ui/all?queue=default&state=scheduled&verb=cancel&type=report.make" // looks at five thousand, a thousand at a time
	t.Logf("%-36.36s %10s   counts among 5,000", counted, c.ask(counted).Round(10*time.Microsecond))
	s.listen(c)
}

// fillUp makes the jobs.
func (s *scene) fillUp() {
	s.Helper()
	types := []string{"mail.send", "mail.digest", "card.charge"}
	var running sync.WaitGroup
	for part := range 4 {
		running.Go(func() {
			for from := part * 1000; from < manyScheduled; from += 4000 {
				var all []queue.NewJob
				for i := range 1000 {
					all = append(all, queue.NewJob{Type: types[i%3], Delay: time.Hour + time.Duration(from+i)*time.Millisecond, Payload: []byte(`{"to":"ann@example.org"}`)})
				}
				if _, err := s.queue.EnqueueMany(s.Context(), all); err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	for from := 0; from < manyDead; from += 10_000 {
		var errs []string
		for i := range 10_000 {
			errs = append(errs, fmt.Sprintf("%s: customer %d", []string{"mailbox full", "no such host", "connection refused", "card declined", "no lines"}[i%5], from+i))
		}
		s.kill(name, types[from/10_000%3], errs...)
	}
	if o := s.overview(name); o.Scheduled != manyScheduled || o.Dead != manyDead {
		s.Fatalf("%d are scheduled and %d dead", o.Scheduled, o.Dead)
	}
}

// client asks for pages as a browser that is signed in, without showing them.
type client struct {
	*scene
	http http.Client
}

func (s *scene) client() *client {
	s.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	c := &client{s, http.Client{Jar: jar}}
	site, err := url.Parse(s.site())
	if err != nil {
		s.Fatal(err)
	}
	jar.SetCookies(site, []*http.Cookie{{Name: "punctual_ui", Path: "/ui", Value: token(s, api.TokenClaims{Subject: "alice", Scopes: api.Scopes()})}})
	return c
}

// ask loads a page and tells how long that took.
func (c *client) ask(path string) time.Duration {
	c.Helper()
	begin := time.Now()
	res, err := c.http.Get(c.site() + path)
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		c.Fatalf("%s: %d %v", path, res.StatusCode, err)
	}
	return time.Since(begin)
}

// read matches what MONITOR tells of a read of job records.
var read = regexp.MustCompile(`(?i)"(hmget|hget)" "punctual:\{[^}]+\}:jobs"((?: "(?:[^"\\]|\\.)*")*)`)

// recordsOf counts the records of jobs that are read meanwhile, as MONITOR tells.
func (s *scene) recordsOf(do func()) int {
	s.Helper()
	conn, err := net.Dial("tcp", s.redis.Addr())
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "MONITOR\r\n")
	lines := bufio.NewReader(conn)
	next := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			s.Fatalf("MONITOR: %v", err)
		}
		return line
	}
	if said := next(); !strings.HasPrefix(said, "+OK") {
		s.Fatalf("MONITOR answers %q", said)
	}
	do()
	const end = "the end of what is watched"
	s.redis.Client().Echo(s.Context(), end)
	records := 0
	for line := next(); !strings.Contains(line, end); line = next() {
		if found := read.FindStringSubmatch(line); found != nil {
			records += strings.Count(found[2], ` "`)
		}
	}
	return records
}

// listen measures the commands that Redis is sent with many browsers open, and with none.
func (s *scene) listen(c *client) {
	s.Helper()
	alone := s.commands()
	var open sync.WaitGroup
	ctx, leave := context.WithCancel(s.Context())
	defer leave()
	begun := make(chan bool, listeners)
	for range listeners {
		open.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.site()+"/ui/events", nil)
			if err != nil {
				s.Error(err)
				return
			}
			res, err := c.http.Do(req)
			if err != nil {
				s.Error(err)
				return
			}
			defer res.Body.Close()
			lines, first := bufio.NewScanner(res.Body), true
			for lines.Scan() {
				if first && strings.HasPrefix(lines.Text(), "data: ") {
					begun <- true
					first = false
				}
			}
		})
	}
	for range listeners {
		<-begun
	}
	together := s.commands()
	leave()
	open.Wait()
	s.Logf("Redis does %.1f commands a second for the server alone and %.1f with %d browsers open, those of scripts included", alone, together, listeners)
}

// commands is how many Redis does in a second.
func (s *scene) commands() float64 {
	s.Helper()
	before, begin := s.calls(), time.Now()
	time.Sleep(listenedFor) // the measurement itself
	return float64(s.calls()-before-1) / time.Since(begin).Seconds()
}

var callsOf = regexp.MustCompile(`(?m)^cmdstat_[^:]+:calls=(\d+)`)

// calls is how many commands Redis has done since it was started.
func (s *scene) calls() int {
	s.Helper()
	text, err := s.redis.Client().Info(s.Context(), "commandstats").Result()
	if err != nil {
		s.Fatal(err)
	}
	sum := 0
	for _, found := range callsOf.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(found[1])
		if err != nil {
			s.Fatal(err)
		}
		sum += n
	}
	return sum
}

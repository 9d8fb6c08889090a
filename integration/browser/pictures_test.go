package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

var pictures = flag.String("pictures", "", "folder into which pictures of all pages are written, see make screenshots")

const (
	pictureWidth = 1200
	phoneWidth   = 390
)

// TestPictures shows a shop with mail and billing on, and reports paused, and takes a picture of each page in both themes.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("make screenshots takes pictures")
	}
	s := newScene(t, "APP_ENV=production")
	s.redis.Config(t, "appendfsync", "everysec")
	s.openShop()
	b := s.tab()
	b.forgive("status of 401")
	b.open("/ui/sign-in")
	b.take("sign-in", pictureWidth)
	b.signIn(token(t, api.TokenClaims{Subject: "alice", Scopes: api.Scopes()}))
	dead, err := s.queue.List(t.Context(), "billing", queue.Listing{State: queue.Dead, Limit: 1})
	if err != nil || len(dead.Jobs) == 0 {
		t.Fatalf("no job is dead in billing: %v", err)
	}
	groups, _, err := s.queue.DeadGroups(t.Context(), "mail")
	if err != nil || len(groups) == 0 {
		t.Fatalf("no group of dead jobs in mail: %v", err)
	}
	for _, page := range []struct{ name, path string }{
		{"overview", "/ui?queue=mail"}, {"jobs", "/ui/jobs?queue=mail"}, {"job", "/ui/jobs/" + url.PathEscape(dead.Jobs[0].ID) + "?queue=billing"},
		{"dead", "/ui/dead?queue=mail"}, {"all", "/ui/all?queue=mail&state=dead&verb=redrive&group=" + url.QueryEscape(groups[0].ID)},
		{"workers", "/ui/workers"}, {"redis", "/ui/redis?queue=mail"}, {"trail", "/ui/trail?queue=mail"},
	} {
		b.mustOpen(page.path)
		if b.has("[data-live-state]") {
			b.says("[data-live-state]", "live")
		}
		b.take(page.name, pictureWidth)
		if page.name == "overview" || page.name == "dead" {
			b.take(page.name+"-phone", phoneWidth)
		}
	}
}

// take writes pictures of the page, light and dark.
func (b *tab) take(name string, width int) {
	b.Helper()
	for _, theme := range []string{"light", "dark"} {
		b.look(width, theme == "dark")
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		shot := chromedp.FullScreenshot(100) // 100: PNG
		if name == "jobs" {                  // of a long page what one sees of it: its buttons stay in sight
			shot = chromedp.CaptureScreenshot()
		}
		picture, err := chromedp.Run(ctx, shot)
		cancel()
		if err != nil {
			b.fatal("take a picture", err)
		}
		if picture, err = small(picture); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*pictures, name+"-"+theme+".png"), picture, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// order is the payload of a job of the shop, see shop/main.go.
type order struct {
	Order   int    `json:"order"`
	To      string `json:"to,omitempty"`
	Minutes int    `json:"minutes,omitempty"`
	Fails   string `json:"fails,omitempty"`
	Panics  string `json:"panics,omitempty"`
}

// openShop puts jobs of all kinds into three queues and awaits what becomes of them.
func (s *scene) openShop() {
	s.Helper()
	const mail, billing, reports = "mail", "billing", "reports"
	s.orders(60, mail, "mail.send", func(i int, j *queue.NewJob) order {
		return order{Order: 4100 + i, To: fmt.Sprintf("customer%d@example.com", i)} // these are done at once
	})
	s.orders(7, mail, "mail.digest", func(i int, _ *queue.NewJob) order { return order{Order: 88 + i, Minutes: 30} })
	s.orders(3, billing, "invoice.render", func(i int, _ *queue.NewJob) order { return order{Order: 310 + i, Minutes: 30} })
	s.orders(34, mail, "mail.send", func(i int, j *queue.NewJob) order {
		j.MaxRetry = queue.NoRetry
		return order{Order: 4200 + i, To: "a@example.com", Fails: fmt.Sprintf("smtp: 550 mailbox of customer %d is full", 700+i)}
	})
	s.orders(12, mail, "mail.send", func(i int, j *queue.NewJob) order {
		j.MaxRetry, j.Backoff = 2, &queue.Backoff{Kind: queue.BackoffFixed, Base: 300 * time.Millisecond}
		return order{Order: 4300 + i, To: "b@example.com", Fails: fmt.Sprintf("dial tcp 10.0.0.%d:25: connection refused", i+1)}
	})
	s.orders(3, mail, "mail.digest", func(i int, j *queue.NewJob) order {
		j.MaxRetry = queue.NoRetry
		return order{Order: 90 + i, Panics: "template: digest:14: nil pointer evaluating *shop.Cart.Items"}
	})
	s.orders(9, billing, "card.charge", func(i int, j *queue.NewJob) order {
		j.MaxRetry, j.Backoff = 3, &queue.Backoff{Kind: queue.BackoffFixed, Base: 400 * time.Millisecond}
		j.Metadata, j.Subject, j.Timeout = map[string]string{"order": fmt.Sprint(9300 + i), "shop": "berlin"}, "checkout", time.Minute
		return order{Order: 9300 + i, Fails: fmt.Sprintf("card of order %d: issuer answered 51, insufficient funds", 9300+i)}
	})
	s.orders(5, mail, "mail.send", func(i int, j *queue.NewJob) order { // these wait for their next attempt
		j.MaxRetry, j.Backoff = 8, &queue.Backoff{Kind: queue.BackoffFixed, Base: 11 * time.Minute}
		return order{Order: 4400 + i, To: "c@example.com", Fails: "smtp: 421 too many connections"}
	})
	for queueName, n := range map[string]int{mail: 240, billing: 70, reports: 12} {
		s.orders(n, queueName, map[string]string{mail: "mail.send", billing: "card.charge", reports: "report.build"}[queueName], func(i int, j *queue.NewJob) order {
			j.Delay = time.Duration(3+i*i/9) * time.Minute
			return order{Order: 5000 + i, To: fmt.Sprintf("customer%d@example.com", i)}
		})
	}
	s.orders(4, reports, "report.build", func(i int, _ *queue.NewJob) order { return order{Order: i} })
	if _, err := s.queue.Pause(s.Context(), reports); err != nil {
		s.Fatal(err)
	}
	program := filepath.Join(s.TempDir(), "shop")
	if out, err := exec.Command("go", "build", "-o", program, "./shop").CombinedOutput(); err != nil {
		s.Fatalf("go build: %v\n%s", err, out)
	}
	s.shopWorker(program, "worker-1", "shop v2.31.0", mail+","+billing+","+reports)
	s.shopWorker(program, "worker-2", "shop v2.32.0", mail)
	redistest.Await(s, patience, "the shop to have done its work", func() bool {
		m, b := s.overview(mail), s.overview(billing)
		return m.Dead == 49 && b.Dead == 9 && m.Processing == 7 && b.Processing == 3 && m.Due == 0
	})
	for _, name := range []string{mail, billing, reports} {
		s.past(name)
	}
	for _, d := range []queue.Deed{
		{Who: "release@ci", Via: "api", Verb: "quiet", Queue: mail, Target: "worker-1:4711:9f3ac2d1"}, {Who: "bob@laptop", Via: "cli", Verb: "purge", Queue: mail, Target: "all dead, type mail.digest, for 720h or longer", Jobs: 112},
		{Who: "alice", Via: "ui", Verb: "pause", Queue: mail}, {Who: "alice", Via: "ui", Verb: "redrive", Queue: mail, Target: "all dead, type mail.send", Jobs: 1204},
		{Who: "alice", Via: "ui", Verb: "resume", Queue: mail}, {Who: "bob@laptop", Via: "cli", Verb: "cancel", Queue: mail, Target: "0198c5a0-7d2e-7a40-9c51-3f5e0d1b2a77", Jobs: 1},
		{Who: "alice", Via: "ui", Verb: "reschedule", Queue: mail, Target: "3 selected: order-1018 order-1021 order-1040", Jobs: 3},
	} {
		if err := s.queue.Record(s.Context(), d); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *scene) orders(n int, queueName, jobType string, make func(i int, j *queue.NewJob) order) {
	s.Helper()
	var all []queue.NewJob
	for i := range n {
		j := queue.NewJob{Queue: queueName, Type: jobType}
		payload, err := json.Marshal(make(i, &j))
		if err != nil {
			s.Fatal(err)
		}
		j.Payload = payload
		all = append(all, j)
	}
	if _, err := s.queue.EnqueueMany(s.Context(), all); err != nil {
		s.Fatal(err)
	}
}

// shopWorker starts a worker on a host of its own name: pictures do not tell where they were taken.
func (s *scene) shopWorker(program, host, build, queues string) {
	s.Helper()
	p := start(s, []string{"REDIS_URL=" + s.redis.URL(), "QUEUES=" + queues, "BUILD=" + build}, "unshare", "--user", "--map-root-user", "--uts",
		"sh", "-c", `hostname "$0" && cd / && exec "$1"`, host, program)
	redistest.Await(s, patience, "the worker of "+host+" to register", func() bool {
		for _, w := range s.workers() {
			if w.Host == host && w.Living {
				return true
			}
		}
		return p.exited()
	})
	if p.exited() {
		s.Fatalf("the worker of %s has ended: %s", host, p.out.String())
	}
}

// past writes an hour of minutes, as heartbeats would have done, see queue/lua/minutes.lua.
func (s *scene) past(name string) {
	s.Helper()
	now := s.overview(name).Now.Unix() / 60
	var ring []any
	for ago := int64(1); ago < 60; ago++ {
		swing := 1 + math.Sin(float64(60-ago)/7) // 0 to 2
		done := int64(180 + 160*swing)
		failed, slow := 2+ago%5, int64(3*swing)
		if ago > 11 && ago < 18 { // somebody's mailboxes were full
			failed, slow = 60, 40
		}
		line := fmt.Sprintf("%d enqueued=%d claimed=%d done=%d retried=%d dead=%d late_5=%d late_10=%d late_50=%d late_250=%d", now-ago, done+failed, done+failed, done,
			failed*3/4, failed/4, done*8/10, done/10, done/20, slow)
		ring = append(ring, fmt.Sprint((now-ago)%1440), line)
	}
	if err := s.redis.Client().HSet(s.Context(), "punctual:{"+name+"}:minutes", ring...).Err(); err != nil {
		s.Fatal(err)
	}
}

// TestSmallPictures: few colours are kept as they are.
func TestSmallPictures(t *testing.T) {
	t.Parallel()
	b := openTab(t, "http://127.0.0.1:9")
	b.do("show colours", chromedp.Navigate("data:text/html,"+url.PathEscape(`<body style="margin:0;background:#123456"><div style="height:40px;background:#fedcba">`)))
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	few, err := small(picture)
	if err != nil || len(few) > len(picture) {
		t.Fatalf("%d bytes became %d: %v", len(picture), len(few), err)
	}
	for _, want := range []struct {
		y     int
		color string
	}{{10, "fedcba"}, {100, "123456"}} {
		if got := colorAt(t, few, 10, want.y); !strings.EqualFold(got, want.color) {
			t.Errorf("at %d it is %s, want %s", want.y, got, want.color)
		}
	}
}

func colorAt(t *testing.T, picture []byte, x, y int) string {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	c := rgba(decoded.At(x, y))
	return fmt.Sprintf("%02x%02x%02x", c.R, c.G, c.B)
}

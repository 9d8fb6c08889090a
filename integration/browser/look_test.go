package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// TestWithoutScripts: all can be read, and what a page offers works.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.kill(name, "mail.send", "mailbox full")
	id := s.add(queue.NewJob{Delay: time.Hour})
	b := s.tab()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for path, heading := range pagesOf(id) {
		b.mustOpen(path)
		b.says("h1", heading)
		if b.text("main") == "" || b.has("[data-live-state]:not([hidden])") {
			t.Errorf("%s is empty, or a script ran", path)
		}
	}
	b.mustOpen("/ui/dead")
	b.says("tbody", "mailbox full")
	b.mustOpen(jobPage(id))
	b.follow("main button[value=cancel]")
	b.says(".notice.ok", "cancelled")
	if !s.gone(name, id) {
		t.Error("the job is still there after it was cancelled")
	}
}

// TestLiveUpdates: figures change while the page is open, and it is not loaded again for that.
func TestLiveUpdates(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.add(queue.NewJob{Delay: time.Hour})
	b := s.tab()
	b.mustOpen("/ui")
	b.says("[data-live='all.scheduled']", "1")
	b.says("[data-live-state]", "live")
	eval[int](b, "window.sameDocument = 1")
	s.add(queue.NewJob{Delay: 2 * time.Hour})
	b.says("[data-live='all.scheduled']", "2")
	b.says("[data-live='q.default.scheduled']", "2")
	s.add(queue.NewJob{})
	b.says("[data-live='all.due']", "1")
	b.says(".alerts .bad", "No worker lives for the queue default, and 1 job is late")
	if b.text("[data-reload]") != "" {
		t.Error("it offers to load the page again though no queue and no worker came or went")
	}
	s.add(queue.NewJob{Queue: "another", Delay: time.Hour})
	b.says("[data-reload]", "There are other queues or workers now")
	if !eval[bool](b, "window.sameDocument === 1") {
		t.Error("the page was loaded again")
	}
	s.redis.Pause(t)
	b.says("[data-live-state]", "not live")
	s.redis.Resume(t)
	redistest.Await(t, patience, "the page to be live again", func() bool { return b.text("[data-live-state]") == "live" })
}

// busy is a dashboard with something on every page.
func (s *scene) busy() (id string) {
	s.Helper()
	var errs []string
	for i := range 8 {
		errs = append(errs, fmt.Sprintf("%s: the mailbox %d of a customer with a long name at a long host name is full", strings.Repeat("very", i*5), i))
	}
	s.kill(name, "mail.send-with-a-long-name-of-its-type", errs...)
	s.worker(name)
	s.add(queue.NewJob{Queue: "a-queue-with-a-long-name-that-somebody-chose-without-a-thought", Delay: 400 * time.Hour})
	return s.add(queue.NewJob{Delay: time.Hour, Subject: strings.Repeat("somebody", 20), Payload: []byte(`{"line":"` + strings.Repeat("w", 2000) + `"}`),
		Metadata: map[string]string{"a-long-name-of-metadata": strings.Repeat("w", 200)}})
}

// TestPhone: at a width of 360 no page has to be moved sideways.
func TestPhone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	paths := pagesOf(s.busy())
	paths["/ui/jobs?state=dead"] = "Jobs"
	b := s.tab()
	b.look(360, false)
	for path, heading := range paths {
		b.mustOpen(path)
		b.says("h1", heading)
		if width := eval[int](b, "document.documentElement.scrollWidth"); width > 360 {
			wide := eval[[]string](b, `[...document.querySelectorAll("main *, header *")].filter((e) => e.getBoundingClientRect().right > 361).map((e) => e.outerHTML.slice(0, 120))`)
			t.Errorf("%s is %d wide: %s", path, width, strings.Join(wide, "\n"))
		}
	}
}

// TestDarkAndLight: the pages follow what people prefer.
func TestDarkAndLight(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	b.mustOpen("/ui")
	// How bright the paper and the ink are, of 255.
	brightness := func(property string) int {
		return eval[int](b, fmt.Sprintf(`Math.max(...getComputedStyle(document.body)[%q].match(/\d+/g).slice(0, 3).map(Number))`, property))
	}
	for _, dark := range []bool{false, true, false} {
		b.look(1200, dark)
		paper, ink := brightness("backgroundColor"), brightness("color")
		if (paper < ink) != dark || max(paper, ink) < 200 || min(paper, ink) > 60 {
			t.Errorf("dark: %t: the paper is of brightness %d, the ink of %d", dark, paper, ink)
		}
	}
}

// TestKeyboard: the tab key leads past the skip link to the pages and the actions, where it stands can be seen, and Enter acts.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.add(queue.NewJob{Delay: time.Hour})
	b := s.tab()
	b.mustOpen("/ui")
	focus := func() string {
		return eval[string](b, `(() => { const e = document.activeElement; return e.tagName + " " + (e.getAttribute("href") || e.value || "") + " " + getComputedStyle(e).outlineStyle })()`)
	}
	b.do("press Tab", chromedp.KeyEvent(kb.Tab))
	if at := focus(); at != "A #main solid" {
		t.Fatalf("first comes %q, not the link that skips the head", at)
	}
	if top := eval[float64](b, "document.activeElement.getBoundingClientRect().top"); top < 0 {
		t.Error("the skip link cannot be seen when it has the focus")
	}
	b.do("press Enter", chromedp.KeyEvent(kb.Enter))
	redistest.Await(t, patience, "the focus to be on the content", func() bool { return eval[string](b, "document.activeElement.id") == "main" })

	b.mustOpen("/ui")
	var seen []string
	for range 60 {
		b.do("press Tab", chromedp.KeyEvent(kb.Tab))
		at := focus()
		if !strings.HasSuffix(at, " solid") {
			t.Errorf("one cannot see that %q has the focus", at)
		}
		if seen = append(seen, at); strings.HasPrefix(at, "BUTTON pause") {
			break
		}
	}
	all := strings.Join(seen, "\n")
	for _, want := range []string{"A /ui/jobs ", "A /ui/dead ", "A /ui/workers ", "A /ui/redis ", "A /ui/trail ", "BUTTON pause"} {
		if !strings.Contains(all, want) {
			t.Errorf("the tab key does not lead to %s:\n%s", want, all)
		}
	}
	b.load("press Enter", chromedp.KeyEvent(kb.Enter))
	if !s.overview(name).Paused {
		t.Error("Enter on the button does not pause the queue")
	}
}

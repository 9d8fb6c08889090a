package browser

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

const name = queue.DefaultQueue

func jobPage(id string) string { return "/ui/jobs/" + url.PathEscape(id) + "?queue=" + name }

// did checks what the audit trail keeps of the last action, in Redis and on its page.
func (s *scene) did(b *tab, verb, target string, jobs int) {
	s.Helper()
	last := s.deeds(name)[0]
	if last.Verb != verb || !strings.HasPrefix(last.Target, target) || last.Jobs != jobs || last.Who != "dev" || last.Via != "ui" {
		s.Errorf("the trail ends with %+v, want %s of %q by dev, %d jobs", last, verb, target, jobs)
	}
	b.mustOpen("/ui/trail")
	row := strings.Join(strings.Fields(b.text("tbody tr:first-child")), " ")
	if !strings.Contains(row, "dev ui "+verb) || !strings.Contains(row, target) {
		s.Errorf("the page of the trail begins with %q, want %s of %q", row, verb, target)
	}
}

// TestOneJob: what the page of a job does to it.
func TestOneJob(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	id := s.add(queue.NewJob{Delay: time.Hour, Payload: []byte(`{"to":"a"}`)})

	b.mustOpen(jobPage(id))
	b.fill("#when", "2h")
	b.follow(".pair button[value=reschedule]")
	b.says(".notice.ok", "new due time")
	if in := time.Until(s.job(name, id).Due); in < 110*time.Minute || in > 130*time.Minute {
		t.Errorf("it is due in %s, want 2 h", in)
	}
	s.did(b, "reschedule", id, 1)

	b.mustOpen(jobPage(id))
	b.click("summary")
	b.fill("textarea[name=payload]", `{"to":"b"}`)
	b.fill("input[name=max_retry]", "7")
	b.fill("textarea[name=metadata]", `{"order":"17"}`)
	b.follow("form.edit button")
	b.says(".notice.ok", "changed")
	if job := s.job(name, id); string(job.Payload) != `{"to":"b"}` || job.MaxRetry != 7 || job.Metadata["order"] != "17" {
		t.Errorf("after the edit it is %+v", job)
	}
	s.did(b, "edit", id, 1)

	b.mustOpen(jobPage(id))
	b.follow("main button[value=run]")
	b.says(".notice.ok", "due now")
	if in := time.Until(s.job(name, id).Due); in > time.Second {
		t.Errorf("it is due in %s, want now", in)
	}
	s.did(b, "run", id, 1)

	b.mustOpen(jobPage(id))
	b.follow("main button[value=cancel]")
	b.says(".notice.ok", "cancelled")
	if !s.gone(name, id) {
		t.Error("it is still there after it was cancelled")
	}
	s.did(b, "cancel", id, 1)

	s.kill(name, "mail.send", "mailbox gone")
	b.mustOpen("/ui/jobs?state=dead")
	b.follow("tbody th a")
	b.follow("main button[value=purge]")
	b.says(".notice.ok", "dropped for good")
	b.says(".empty", "No job is dead")
	if o := s.overview(name); o.Dead+o.Scheduled != 0 {
		t.Errorf("after the purge %d are dead and %d scheduled", o.Dead, o.Scheduled)
	}

	s.kill(name, "mail.send", "mailbox full")
	b.mustOpen("/ui/jobs?state=dead")
	b.follow("tbody th a")
	b.says(".timeline", "mailbox full")
	b.follow("main button[value=redrive]")
	b.says(".notice.ok", "scheduled again")
	if o := s.overview(name); o.Dead != 0 || o.Scheduled != 1 {
		t.Errorf("after the redrive %d are dead and %d scheduled", o.Dead, o.Scheduled)
	}
	redistest.AssertConserved(t, s.redis.Client(), name)
}

// TestEnterReschedules: who types a new due time and presses Enter means that, and not the first button of the form.
func TestEnterReschedules(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	id := s.add(queue.NewJob{Delay: time.Hour})
	for _, path := range []string{jobPage(id), "/ui/jobs"} {
		b.mustOpen(path)
		if path == "/ui/jobs" {
			b.click("input[name=id]")
		}
		b.load("type a time and press Enter", chromedp.SendKeys(css("#when"), "3h\r"))
		b.says(".notice", "new due time")
		if in := time.Until(s.job(name, id).Due); in < 170*time.Minute || in > 190*time.Minute {
			t.Errorf("%s: it is due in %s, want 3 h", path, in)
		}
	}
}

// TestSelectedJobs: what the list does to those whose boxes are checked, and to no others.
func TestSelectedJobs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	s.kill(name, "mail.send", "one", "two", "three")
	b.mustOpen("/ui/jobs?state=dead")
	b.follow("main button[value=redrive]")
	b.says(".notice.warn", "Nothing was selected")

	picked := eval[[]string](b, `[...document.querySelectorAll("input[name=id]")].slice(0, 2).map((box) => { box.click(); return box.value })`)
	b.says("[data-select-count]", "(2)")
	b.follow("main button[value=redrive]")
	b.says(".notice.ok", "2 jobs are scheduled again")
	if o := s.overview(name); o.Dead != 1 || o.Scheduled != 2 {
		t.Errorf("after the redrive %d are dead and %d scheduled, want 1 and 2", o.Dead, o.Scheduled)
	}
	for _, id := range picked {
		if state := s.job(name, id).State; state != queue.Scheduled {
			t.Errorf("the job that was picked is %s", state)
		}
	}
	s.did(b, "redrive", "2 selected", 2)

	b.mustOpen("/ui/jobs")
	b.click("[data-select-all]")
	b.follow("main form[data-select] button[value=cancel]")
	b.says("h1", "Cancel 2 jobs?")
	if o := s.overview(name); o.Scheduled != 2 {
		t.Errorf("before the question is answered %d are scheduled, want 2", o.Scheduled)
	}
	b.follow("main form.actions button")
	b.says(".notice.ok", "2 jobs were cancelled")
	if o := s.overview(name); o.Scheduled != 0 || o.Dead != 1 {
		t.Errorf("after the cancel %d are scheduled and %d dead, want 0 and 1", o.Scheduled, o.Dead)
	}
	s.did(b, "cancel", "2 selected", 2)
}

// TestAllThatMatch: it says how many first, and touches nothing else.
func TestAllThatMatch(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	for i := range 120 { // more than a page shows
		s.add(queue.NewJob{Delay: time.Hour, Type: []string{"mail.send", "report.make", "report.make"}[i%3]})
	}
	b.mustOpen("/ui/jobs?type=report.make")
	b.follow("form[action='/ui/all'] button[value=cancel]")
	b.says(".lead", "80 jobs")
	if o := s.overview(name); o.Scheduled != 120 {
		t.Errorf("the question alone left %d jobs of 120", o.Scheduled)
	}
	b.follow("main form.actions button.bad")
	b.says(".notice.ok", "80 jobs were cancelled")
	page, err := s.queue.List(t.Context(), name, queue.Listing{Limit: 1000})
	if err != nil || len(page.Jobs) != 40 || slices.ContainsFunc(page.Jobs, func(job queue.Info) bool { return job.Type != "mail.send" }) {
		t.Errorf("%d jobs are left (%v), want the 40 of the other type", len(page.Jobs), err)
	}
	s.did(b, "cancel", "all scheduled, type report.make", 80)

	b.mustOpen("/ui/jobs?type=mail.send")
	b.follow("form[action='/ui/all'] button[value=reschedule]")
	b.fill("main input[name=when]", "5h")
	b.follow("main form.actions button[type=submit]")
	b.says(".notice.ok", "40 jobs have their new due time")
	page, err = s.queue.List(t.Context(), name, queue.Listing{Limit: 1000})
	if err != nil || len(page.Jobs) != 40 || time.Until(page.Jobs[0].Due) < 4*time.Hour || time.Until(page.Jobs[39].Due) > 6*time.Hour {
		t.Errorf("of %d jobs that are left (%v) not all are due in 5 h", len(page.Jobs), err)
	}
}

// TestLinksBeginNothing: a link to a change that is said to be under way, by whomever, changes nothing by itself. What was begun in
// this tab goes on.
func TestLinksBeginNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	s.add(queue.NewJob{Delay: time.Hour})
	const underWay = "/ui/all?queue=default&state=scheduled&verb=cancel&begun=1&auto=1"
	b.mustOpen(underWay)
	eval[bool](b, `new Promise((after) => setTimeout(() => after(true), 1500))`) // what goes on by itself does so after 400 ms
	if o := s.overview(name); o.Scheduled != 1 {
		t.Fatal("a link alone has cancelled a job")
	}
	eval[bool](b, `(sessionStorage.setItem("punctual-goes-on", ["default", "scheduled", "cancel", "", "", ""].join("\n")), true)`)
	b.mustOpen(underWay)
	b.says(".notice.ok", "cancelled")
	if o := s.overview(name); o.Scheduled != 0 {
		t.Error("what was begun in this tab does not go on")
	}
	b.mustOpen("/ui/jobs")
	if eval[bool](b, `sessionStorage.getItem("punctual-goes-on") !== null`) {
		t.Error("a page elsewhere does not end what was begun")
	}
}

// TestGroupsOfTheDead: what failed alike is redriven or purged together.
func TestGroupsOfTheDead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	var full, declined, lost []string
	for i := range 60 {
		full = append(full, fmt.Sprintf("mailbox %d is full", i))
		declined = append(declined, fmt.Sprintf("order %d: card declined", i))
	}
	lost = append(lost, "connection lost")
	s.kill(name, "mail.send", full...)
	s.kill(name, "card.charge", declined...)
	s.kill(name, "mail.send", lost...)

	b.mustOpen("/ui/dead")
	rows := eval[int](b, `document.querySelectorAll("tbody tr").length`)
	if rows != 3 {
		t.Fatalf("%d groups are shown, want 3:\n%s", rows, b.text("tbody"))
	}
	row := func(text string) css {
		n := eval[int](b, fmt.Sprintf(`1 + [...document.querySelectorAll("tbody tr")].findIndex((row) => row.innerText.includes(%q))`, text))
		if n == 0 {
			t.Fatalf("no group says %q:\n%s", text, b.text("tbody"))
		}
		return css(fmt.Sprintf("tbody tr:nth-child(%d) ", n))
	}
	b.follow(row("is full") + "a[href*='verb=redrive']")
	b.says(".lead", "60 jobs")
	b.follow("main form.actions button")
	b.says(".notice.ok", "60 jobs are scheduled again")
	if o := s.overview(name); o.Dead != 61 || o.Scheduled != 60 {
		t.Errorf("after the redrive %d are dead and %d scheduled, want 61 and 60", o.Dead, o.Scheduled)
	}
	b.mustOpen("/ui/dead")
	b.follow(row("declined") + "a[href*='verb=purge']")
	b.says(".lead", "60 jobs")
	b.says(".notice.warn", "gone for good")
	b.follow("main form.actions button")
	b.says(".notice.ok", "60 jobs were dropped")
	if o := s.overview(name); o.Dead != 1 || o.Scheduled != 60 {
		t.Errorf("after the purge %d are dead and %d scheduled, want 1 and 60", o.Dead, o.Scheduled)
	}
	if last := s.deeds(name)[:2]; last[0].Verb != "purge" || last[0].Jobs != 60 || last[1].Verb != "redrive" || last[1].Jobs != 60 {
		t.Errorf("the trail has %+v", last)
	}
	redistest.AssertConserved(t, s.redis.Client(), name)
}

// TestWorkers: a job that runs is cancelled; a worker is quieted, and stopped.
func TestWorkers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	w := s.worker(name)
	b := s.tab()
	id := s.add(queue.NewJob{Type: "ok", Payload: []byte(`{"ms":600000}`)})
	redistest.Await(t, patience, "the job to run", func() bool { return s.job(name, id).State == queue.Processing })

	b.mustOpen("/ui/jobs?state=processing")
	b.follow("tbody th a")
	b.follow("main button[value=cancel]")
	b.says(".notice.ok", "being cancelled")
	redistest.Await(t, patience, "the job to end", func() bool { return s.gone(name, id) })
	s.did(b, "cancel", id, 1)

	soon := s.add(queue.NewJob{Type: "ok", Delay: time.Hour})
	b.mustOpen(jobPage(soon))
	if status := b.follow("main button[value=run]"); status != 200 {
		t.Errorf("a job that was run at once, and has ended by the time its page is shown again, leads to %d", status)
	}
	b.says(".notice.ok", "due now")
	redistest.Await(t, patience, "the job to have run", func() bool { return s.gone(name, soon) })

	b.mustOpen("/ui/workers")
	b.follow("main button[value=quiet]")
	b.says(".notice.ok", "claim nothing more")
	redistest.Await(t, patience, "the worker to be quiet", func() bool { return s.workers()[0].Quiet })
	worker := s.workers()[0].ID
	s.did(b, "quiet", worker, 0)
	later := s.add(queue.NewJob{Type: "ok"})

	b.mustOpen("/ui/workers")
	b.says("tbody", "quiet")
	b.follow("a.button.bad")
	b.says("h1", "Stop this process?")
	b.follow("main button[value=stop]")
	b.says(".notice.ok", "shut down in order")
	select {
	case <-w.gone:
	case <-time.After(patience):
		t.Error("the worker still runs")
	}
	if state := s.job(name, later).State; state != queue.Scheduled {
		t.Errorf("the job that came when the worker was quiet is %s", state)
	}
	s.did(b, "stop", worker, 0)
}

// TestPauseAndResume: by the overview.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.add(queue.NewJob{Delay: time.Hour})
	b := s.tab()
	b.mustOpen("/ui")
	b.follow("main button[value=pause]")
	b.says(".notice.ok", "is paused")
	b.says(".alerts", "The queue default is paused.")
	if !s.overview(name).Paused {
		t.Error("the queue is not paused")
	}
	s.did(b, "pause", "", 0)
	b.mustOpen("/ui")
	b.follow("main button[value=resume]")
	b.says(".notice.ok", "is resumed")
	if s.overview(name).Paused {
		t.Error("the queue is still paused")
	}
	s.did(b, "resume", "", 0)
}

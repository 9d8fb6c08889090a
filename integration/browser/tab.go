package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/punctualq/punctual/integration/redistest"
)

// css finds the first element of a CSS selector.
type css = chromedp.CSS

// tab is a tab with a profile of its own: its cookies are nobody else's.
type tab struct {
	testing.TB
	ctx  context.Context
	site string // http://host:port

	mu       sync.Mutex
	requests []string // addresses that it has asked for
	faults   []string // what the pages told of: errors in the console, exceptions, breaches of the policy
	forgiven []string
	friends  []string // other sites that a test asks on purpose
}

// watch notes every breach of the policy of a page in window.breaches, before anything of the page runs.
const watch = `window.breaches = []; document.addEventListener("securitypolicyviolation", (e) => window.breaches.push(e.violatedDirective + " " + e.blockedURI + " " + e.sample));`

// openTab opens one for a site. When the test ends, it must have asked for nothing elsewhere, and no page must have told of an error.
func openTab(t testing.TB, site string) *tab {
	t.Helper()
	b := &tab{TB: t, site: site}
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.note))
	t.Cleanup(func() {
		b.check()
		end()
	})
	// With the context of the tab itself: what is done first in it lasts as long as it does.
	err := chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
		return err
	}))
	if err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return b
}

// note keeps what must not be. It runs in the loop that reads the browser's messages.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, fmt.Sprintf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s: %v", e.Type, e.Args)) // the dashboard writes nothing there
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.faults = append(b.faults, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

// forgive makes a fault that has this text none: a page that is refused is told of as an error.
func (b *tab) forgive(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgiven = append(b.forgiven, text)
}

// friend lets the tab ask another site.
func (b *tab) friend(site string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.friends = append(b.friends, site)
}

// wrong is what the pages told of so far, and was not forgiven.
func (b *tab) wrong() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.faults), func(fault string) bool {
		return slices.ContainsFunc(b.forgiven, func(text string) bool { return strings.Contains(fault, text) })
	})
}

// elsewhere are the addresses of other hosts that were asked for.
func (b *tab) elsewhere() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.requests), func(to string) bool {
		return strings.HasPrefix(to, "data:") || slices.ContainsFunc(slices.Concat(b.friends, []string{b.site}), func(site string) bool { return strings.HasPrefix(to, site+"/") })
	})
}

func (b *tab) check() {
	if all := b.wrong(); len(all) > 0 {
		b.Errorf("the pages told of:\n%s", strings.Join(all, "\n"))
	}
	if all := b.elsewhere(); len(all) > 0 {
		b.Errorf("the pages asked elsewhere for %q", all)
	}
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fatal(what, err)
	}
}

// fatal ends the test, with what is on the page.
func (b *tab) fatal(what string, err error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	b.Fatalf("%s: %v; on the page:\n%s\n%s", what, err, text, strings.Join(b.wrong(), "\n"))
}

// open goes to a path of the site, and tells the status of the answer.
func (b *tab) open(path string) int {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, chromedp.Navigate(b.site+path))
	if err != nil {
		b.fatal("open "+path, err)
	}
	return int(res.Status)
}

// mustOpen goes to a path that must answer 200. On a busy machine Redis may not answer in time: then it does what the page says, and
// loads it again.
func (b *tab) mustOpen(path string) {
	b.Helper()
	b.forgive("status of 503")
	status := 0
	redistest.Await(b, patience, path+" to answer anything but 503", func() bool {
		status = b.open(path)
		return status != http.StatusServiceUnavailable
	})
	if status != http.StatusOK {
		b.fatal("open "+path, fmt.Errorf("status %d", status))
	}
}

// follow clicks what leads to another page, and tells the status of its answer.
func (b *tab) follow(selector css) int {
	b.Helper()
	return b.load("click "+string(selector), chromedp.Click(selector, chromedp.NodeVisible))
}

// load does what leads to another page.
func (b *tab) load(what string, steps ...chromedp.Action[chromedp.Void]) int {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		b.fatal(what, err)
	}
	return int(res.Status)
}

// click clicks what leads nowhere.
func (b *tab) click(selector css) {
	b.Helper()
	b.do("click "+string(selector), chromedp.Click(selector, chromedp.NodeVisible))
}

// fill writes into a field in place of what is there.
func (b *tab) fill(selector css, text string) {
	b.Helper()
	b.do("fill "+string(selector), chromedp.WaitVisible(selector), chromedp.SetValue(selector, text))
}

// text is all that a reader sees of an element.
func (b *tab) text(selector css) string {
	b.Helper()
	return eval[string](b, fmt.Sprintf("((e) => e && e.checkVisibility() ? e.innerText : '')(document.querySelector(%q))", selector))
}

// says waits until an element says something.
func (b *tab) says(selector css, text string) {
	b.Helper()
	redistest.Await(b, patience, fmt.Sprintf("%s to say %q", selector, text), func() bool { return strings.Contains(b.text(selector), text) })
}

// has tells whether there is such an element.
func (b *tab) has(selector css) bool {
	b.Helper()
	return eval[bool](b, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// path is where the tab is: path and query, without the notice of what was done.
func (b *tab) path() string {
	b.Helper()
	at, err := url.Parse(eval[string](b, "location.href"))
	if err != nil {
		b.Fatal(err)
	}
	q := at.Query()
	for _, name := range []string{"notice", "n", "not", "unreadable"} {
		q.Del(name)
	}
	at.RawQuery = q.Encode()
	return at.RequestURI()
}

// eval asks the page.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// call gives the browser an order for this tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// look sets what the pages are shown on: the width in pixels, and whether people want dark pages.
func (b *tab) look(width int, dark bool) {
	b.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do("set the width", chromedp.EmulateViewport(int64(width), 900))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

package ui

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/punctualq/punctual/queue"
)

// The listing is asked for what the address says, and pages follow each other by the cursor.
func TestPaging(t *testing.T) {
	q := busy()
	var asked queue.Listing
	q.list = func(l queue.Listing) queue.Page {
		asked = l
		return queue.Page{Jobs: []queue.Info{q.jobs["job-1"]}, Next: "c+2/="}
	}
	d := newDashboard(t, q)
	w := d.get("/ui/jobs?queue=default&state=dead&type=a.b&text=x%2Fy&group=g1&cursor=c1", tokenAll)
	if want := (queue.Listing{State: queue.Dead, Type: "a.b", Text: "x/y", Group: "g1", Limit: jobsOnPage, Cursor: "c1", Newest: true}); asked != want {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
	page := w.Body.String()
	next := hrefOf(t, page, "Next page")
	if d.get(next, tokenAll); asked.Cursor != "c+2/=" || asked.Type != "a.b" || asked.Text != "x/y" || asked.Group != "g1" || asked.State != queue.Dead {
		t.Errorf("%s asked %+v", next, asked)
	}
	if d.get(hrefOf(t, page, "First page"), tokenAll); asked.Cursor != "" || asked.Type != "a.b" {
		t.Errorf("the first page asked %+v", asked)
	}
	if !strings.Contains(text(t, page), "This page is short") {
		t.Error("a short page does not say that it is")
	}
	if d.get("/ui/jobs?state=dead&order=oldest", tokenAll); asked.Newest {
		t.Error("order=oldest is not heeded")
	}
	if d.get("/ui/jobs", tokenAll); asked.Newest || asked.State != queue.Scheduled {
		t.Errorf("by default it asks %+v", asked)
	}
	q.err = queue.ErrCursor
	q.fails = func(verb string) error { return nil }
	if w := d.get("/ui/jobs?cursor=x", tokenAll); w.Code != http.StatusBadRequest {
		t.Errorf("a bad cursor: %d", w.Code)
	}
}

// hrefOf is where a link leads that has this text.
func hrefOf(t *testing.T, page, words string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Data != "a" || n.FirstChild == nil || n.FirstChild.Data != words {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				return a.Val
			}
		}
	}
	t.Fatalf("no link %q in %s", words, text(t, page))
	return ""
}

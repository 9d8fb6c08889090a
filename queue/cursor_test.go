package queue

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

var listed = Listing{State: Dead, Type: "mail", Subject: "ann", Text: "7"}

func TestCursor(t *testing.T) {
	for _, at := range []position{{score: "1764000000123", id: "0198c5a0-0000-7000-8000-000000000001"}, {score: "-inf", id: ""},
		{score: "7", id: "\xff\x00", worker: "host:7:beef"}, {score: "1.5", id: `"~<>&`}} {
		l := listed
		l.Cursor = l.cursor("q", at)
		if got, err := l.position("q"); err != nil || got != at {
			t.Errorf("%+v, %v, want %+v", got, err, at)
		}
		l.Limit = 7 // the next page may be longer
		if _, err := l.position("q"); err != nil {
			t.Error(err)
		}
	}
	if at, err := listed.position("q"); err != nil || at != (position{}) {
		t.Errorf("the first page: %+v, %v", at, err)
	}
}

// A cursor is for the listing that gave it out, and for no other.
func TestCursorOfAnotherListing(t *testing.T) {
	at := position{score: "1764000000123", id: "a"}
	text := listed.cursor("q", at)
	for name, change := range map[string]func(l *Listing) string{
		"queue":   func(*Listing) string { return "other" },
		"state":   func(l *Listing) string { l.State = Scheduled; return "q" },
		"type":    func(l *Listing) string { l.Type = ""; return "q" },
		"subject": func(l *Listing) string { l.Subject = "bob"; return "q" },
		"text":    func(l *Listing) string { l.Text = "77"; return "q" },
		"order":   func(l *Listing) string { l.Newest = true; return "q" },
		"shifted": func(l *Listing) string { l.Type, l.Subject = "mailann", ""; return "q" },
	} {
		l := listed
		queue := change(&l)
		l.Cursor = text
		if _, err := l.position(queue); !errors.Is(err, ErrCursor) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestForgedCursors(t *testing.T) {
	good := listed.cursor("q", position{score: "1764000000123", id: "a"})
	text, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, json := range map[string]string{
		"another id": strings.Replace(string(text), `"YQ=="`, `"Yg=="`, 1), "another score": strings.Replace(string(text), `0123"`, `0124"`, 1),
		"a member more": strings.Replace(string(text), `{`, `{"x":1,`, 1), "space": strings.Replace(string(text), `{`, `{ `, 1),
		"no JSON": "x", "empty": "", "null": "null", "a list": "[]", "a member twice": strings.Replace(string(text), `{`, `{"state":"done",`, 1),
		"more behind": string(text) + "{}", "deep": strings.Repeat("[", 5000),
	} {
		l := listed
		if l.Cursor = base64.RawURLEncoding.EncodeToString([]byte(json)); l.Cursor == "" {
			continue
		}
		if at, err := l.position("q"); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: %+v, %v", name, at, err)
		}
	}
	for _, forged := range []string{good + "=", good + "\n", " " + good, good[1:], good[:len(good)-1], "%", "null", strings.Repeat("A", 1<<20)} {
		l := listed
		l.Cursor = forged
		if at, err := l.position("q"); !errors.Is(err, ErrCursor) {
			t.Errorf("%.20q: %+v, %v", forged, at, err)
		}
	}
	for _, score := range []string{"nan", "x", "", "1 "} { // with a sum that is right
		l := listed
		l.Cursor = l.cursor("q", position{score: score, id: "a"})
		if at, err := l.position("q"); !errors.Is(err, ErrCursor) {
			t.Errorf("score %q: %+v, %v", score, at, err)
		}
	}
}

// FuzzCursor: whatever a cursor is, it is the one way to spell its position, or ErrCursor.
func FuzzCursor(f *testing.F) {
	for _, at := range []position{{score: "1764000000123", id: "a"}, {score: "inf", id: "\xff"}, {score: "7", id: "b", worker: "w"}} {
		f.Add(listed.cursor("q", at))
		f.Add(Listing{State: Processing}.cursor("q", at))
	}
	for _, text := range []string{"", "x", "e30", "bnVsbA", "W10", "////", "====", "eyJzdGF0ZSI6ImRlYWQiLCJzY29yZSI6IjEiLCJpZCI6IllRPT0iLCJzdW0iOiIifQ"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range []Listing{listed, {State: Processing}} {
			l.Cursor = text
			at, err := l.position("q")
			switch {
			case text == "":
				if err != nil || at != (position{}) {
					t.Errorf("the first page: %+v, %v", at, err)
				}
			case err != nil:
				if !errors.Is(err, ErrCursor) || at != (position{}) {
					t.Errorf("%+v, %v", at, err)
				}
			case l.cursor("q", at) != text:
				t.Errorf("%q is read as %+v, which is spelled %q", text, at, l.cursor("q", at))
			}
		}
	})
}

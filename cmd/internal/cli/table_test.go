package cli

import (
	"bytes"
	"strings"
	"testing"
)

func sheet(columns int, color bool) (*bytes.Buffer, *session) {
	var b bytes.Buffer
	return &b, &session{out: &screen{Writer: &b, columns: columns, color: color}}
}

func TestTable(t *testing.T) {
	b, s := sheet(40, false)
	tab := s.table(column{name: "JOB"}, number("N"), column{name: "TEXT", cut: true}, column{name: "WHO", cut: true})
	tab.add("01a22667", "7", "a text that is far too long for this", "ann\x1b[31m\n")
	tab.add("x", "1,000", "語語語語語語語語語語語語語語語語語語語", "bob")
	if err := tab.flush(); err != nil {
		t.Fatal(err)
	}
	tab.add("y", "2", "later", "")
	if err := tab.flush(); err != nil {
		t.Fatal(err)
	}
	equal(t, "table", b.String(), strings.Join([]string{
		"JOB           N  TEXT        WHO",
		`01a22667      7  a text th…  ann\x1b[31…`,
		"x         1,000  語語語語…   bob",
		"y             2  later",
		""}, "\n"))
}

// Ids are never cut, wherever that leads.
func TestTableNeverCutsIDs(t *testing.T) {
	b, s := sheet(80, false)
	id := strings.Repeat("x", 128)
	tab := s.table(column{name: "JOB"}, column{name: "TEXT", cut: true})
	tab.add(id, strings.Repeat("y", 100))
	_ = tab.flush()
	equal(t, "the last line", strings.Split(b.String(), "\n")[1], id+"  yyyyyyy…")
}

func TestColor(t *testing.T) {
	for _, color := range []bool{true, false} {
		b, s := sheet(80, color)
		tab := s.table(column{name: "JOB"})
		tab.add("a")
		_ = tab.flush()
		equal(t, "colored", strings.Contains(b.String(), "\x1b["), color)
	}
}

// Nothing that others wrote reaches a terminal as it is.
func TestHostileObjects(t *testing.T) {
	b, s := sheet(80, false)
	_ = s.out.object(map[string]string{"a": "\x1b[31m\u009b\u202e\u2028\U000e0001\x7f<é語👩‍👧"})
	equal(t, "JSON", b.String(), `{"a":"\u001b[31m\u009b\u202e\u2028\udb40\udc01\u007f<é語👩`+"\\u200d"+`👧"}`+"\n")
	equal(t, "it is what it was", objects[map[string]string](t, b.String())[0]["a"], "\x1b[31m\u009b\u202e\u2028\U000e0001\x7f<é語👩‍👧")
	b.Reset()
	_ = s.out.details("name", "a\x1b[2J\nb", "none", "")
	_ = s.out.say("%s %d", "\x1b[1m", 7)
	equal(t, "text", b.String(), "name  a\\x1b[2J\\nb\n\\x1b[1m 7\n")
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 jobs", 1: "1 job", 999: "999 jobs", 1000: "1,000 jobs", 1234567: "1,234,567 jobs", -1000: "-1,000 jobs"} {
		equal(t, want, count(n, "job"), want)
	}
}

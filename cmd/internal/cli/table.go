package cli

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/punctualq/punctual/cmd/internal/plain"
)

// column is one of a table.
type column struct {
	name  string
	right bool // numbers
	cut   bool // its texts may be cut; ids never are
}

// table prints rows in columns that fit the screen, page by page: the widths of the first page are kept, and grow.
type table struct {
	*screen
	columns []column
	widths  []int
	begun   bool
	rows    [][]string
}

func (s *session) table(columns ...column) *table {
	return &table{screen: s.out, columns: columns, widths: make([]int, len(columns))}
}

// narrowest is how far a text is cut at most.
const narrowest = 8

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = plain.Line(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// flush prints the rows that were added.
func (t *table) flush() error {
	rows := t.rows
	if !t.begun {
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = c.name
		}
		rows = append([][]string{names}, rows...)
	}
	t.fit(rows)
	var b strings.Builder
	for n, row := range rows {
		line := t.line(row)
		if n == 0 && !t.begun {
			line = t.colored(bold, line)
		}
		b.WriteString(line + "\n")
	}
	t.rows, t.begun = nil, true
	_, err := io.WriteString(t.screen, b.String())
	return err
}

// fit makes the columns as wide as their texts, and then those that may be cut narrower, the widest first, until a row fits.
func (t *table) fit(rows [][]string) {
	total := 2 * (len(t.columns) - 1)
	for i := range t.columns {
		for _, row := range rows {
			t.widths[i] = max(t.widths[i], widthOf(row[i]))
		}
		total += t.widths[i]
	}
	for ; total > t.screen.columns; total-- {
		widest := -1
		for i, c := range t.columns {
			if c.cut && t.widths[i] > narrowest && (widest < 0 || t.widths[i] > t.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		t.widths[widest]--
	}
}

func (t *table) line(row []string) string {
	var b strings.Builder
	for i, cell := range row {
		if t.columns[i].cut {
			cell = cutTo(cell, t.widths[i])
		}
		space := strings.Repeat(" ", max(0, t.widths[i]-widthOf(cell)))
		if t.columns[i].right {
			cell = space + cell
		} else {
			cell += space
		}
		b.WriteString(cell + "  ")
	}
	return strings.TrimRight(b.String(), " ")
}

// widthOf is how many columns of a terminal a text takes.
func widthOf(text string) (n int) {
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch kind := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cutTo shortens a text to at most n columns.
func cutTo(text string, n int) string {
	if widthOf(text) <= n {
		return text
	}
	used := 0
	for i, r := range text {
		if used += runeWidth(r); used > n-1 {
			return text[:i] + "…"
		}
	}
	return text
}

package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/punctualq/punctual/cmd/internal/settings"
)

// screen is where a command writes: a terminal, or anything else.
type screen struct {
	io.Writer
	columns  int // how wide a table may be
	terminal bool
	color    bool
}

// columnsOf tells how wide a terminal is. ok: it is one. A test may have one of its own, which says so itself.
func columnsOf(w any) (columns int, ok bool) {
	switch w := w.(type) {
	case interface{ Columns() int }:
		return w.Columns(), true
	case *os.File:
		if !term.IsTerminal(int(w.Fd())) {
			return 0, false
		}
		columns, _, err := term.GetSize(int(w.Fd()))
		if err != nil || columns < 20 {
			columns = 80
		}
		return columns, true
	}
	return 0, false
}

func screenOf(w io.Writer, env settings.Lookup) *screen {
	s := &screen{Writer: w, columns: 80}
	if columns, ok := columnsOf(w); ok {
		s.columns, s.terminal = columns, true
		noColor, _ := env("NO_COLOR")
		dumb, _ := env("TERM")
		s.color = noColor == "" && dumb != "dumb"
	}
	return s
}

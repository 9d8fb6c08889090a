// Package plain makes text that others wrote safe to print.
package plain

import (
	"strconv"
	"strings"
)

// Line makes text safe for a terminal and for whoever reads line by line: control characters, line separators and
// what reorders text are escaped as in a Go string. All else stays as it is, spaces of any width and joined emoji included.
func Line(text string) string { return escape(text, "") }

// Lines does the same, and leaves the ends of lines as they are.
func Lines(text string) string { return escape(text, "\n") }

func escape(text, but string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsGraphic(r) || r == zeroWidthNonJoiner || r == zeroWidthJoiner || strings.ContainsRune(but, r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// These two shape letters and emoji and do nothing else.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

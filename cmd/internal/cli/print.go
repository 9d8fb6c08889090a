package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/punctualq/punctual/cmd/internal/plain"
)

const bold, red, yellow = "\x1b[1m", "\x1b[31m", "\x1b[33m"

func (s *screen) colored(color, text string) string {
	if !s.color {
		return text
	}
	return color + text + "\x1b[0m"
}

// say prints one line; what others wrote is in args, and made safe.
func (s *screen) say(format string, args ...any) error {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = plain.Line(text)
		}
	}
	_, err := fmt.Fprintf(s, format+"\n", args...)
	return err
}

// object prints one JSON object on a line of its own. JSON escapes only some of what a terminal would obey: the rest is escaped, too.
func (s *screen) object(v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range text.String() {
		if r < 0x7f || strconv.IsGraphic(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(s, b.String())
	return err
}

// details prints names and values, one a line. Values that are empty are left out.
func (s *screen) details(pairs ...string) error {
	wide := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			wide = max(wide, len(pairs[i]))
		}
	}
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(&b, "%-*s  %s\n", wide, pairs[i], plain.Line(pairs[i+1]))
		}
	}
	_, err := io.WriteString(s, b.String())
	return err
}

// count is a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return grouped(n) + " " + thing
}

// grouped writes a number with commas.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

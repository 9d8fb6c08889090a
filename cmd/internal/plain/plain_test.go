package plain

import "testing"

func TestHostileText(t *testing.T) {
	for text, want := range map[string]string{
		"Grüße, 世界 👩‍👩‍👧":              "Grüße, 世界 👩‍👩‍👧",
		"\x1b[31mred\x1b[0m\a":         `\x1b[31mred\x1b[0m\a`,
		"a\nb\r\x00\u2028\u202e\u0085": `a\nb\r\x00\u2028\u202e\u0085`,
		"it's \xff":                    "it's \uFFFD",
	} {
		if got := Line(text); got != want {
			t.Errorf("Line(%q) = %q, want %q", text, got, want)
		}
	}
	if got := Lines("a\n\x1b]0;title\a"); got != "a\n"+`\x1b]0;title\a` {
		t.Errorf("Lines: %q", got)
	}
}

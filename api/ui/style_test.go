package ui

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// themes are the colours of the style by theme.
func themes(t *testing.T) map[string]map[string]string {
	t.Helper()
	css := string(mustRead(t, "app.css"))
	light, rest, ok := strings.Cut(css, "@media (prefers-color-scheme: dark) {")
	if !ok {
		t.Fatal("there is no dark theme")
	}
	dark, _, _ := strings.Cut(rest, "\n}\n")
	property := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	all := map[string]map[string]string{"light": {}, "dark": {}}
	for theme, part := range map[string]string{"light": light, "dark": dark} {
		for _, m := range property.FindAllStringSubmatch(part, -1) {
			all[theme][m[1]] = m[2]
		}
	}
	return all
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("static/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// luminance is the relative luminance of WCAG 2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 24)
	if err != nil {
		t.Fatalf("%q is no colour", colour)
	}
	part := func(shift int) float64 {
		c := float64(n>>shift&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// Text has a contrast of 4.5 to what is behind it, and what is no text but says something 3 (WCAG 2.2 AA), in both themes.
func TestContrast(t *testing.T) {
	pairs := map[float64][]string{
		4.5: {"ink paper", "ink card", "ink soft", "dim paper", "dim card", "dim soft", "go paper", "go card", "go soft", "on-go go", "ok paper", "ok card", "ok ok-soft",
			"warn paper", "warn card", "warn warn-soft", "bad paper", "bad card", "bad bad-soft"},
		3: {"focus paper", "focus card", "dim card", "scheduled card", "due card", "processing card", "dead card", "done card", "late card", "claim card",
			"scheduled soft", "due soft", "processing soft", "dead soft", "done soft"},
	}
	for theme, colours := range themes(t) {
		checked := map[string]bool{"line": true} // it only divides
		for least, some := range pairs {
			for _, pair := range some {
				front, back, _ := strings.Cut(pair, " ")
				checked[front], checked[back] = true, true
				if got := contrast(t, colours[front], colours[back]); got < least {
					t.Errorf("%s: %s on %s is %.2f, must be at least %.1f", theme, front, back, got, least)
				}
			}
		}
		for name := range colours {
			if !checked[name] {
				t.Errorf("%s: nobody looks at the contrast of --%s", theme, name)
			}
		}
	}
	if got := contrast(t, "#000000", "#ffffff"); got != 21 {
		t.Errorf("black on white is %v", got)
	}
}

// Colours stand in the two themes alone, each in both.
func TestColoursStandOnce(t *testing.T) {
	all := themes(t)
	for name := range all["light"] {
		if all["dark"][name] == "" {
			t.Errorf("--%s has no dark colour", name)
		}
	}
	if len(all["light"]) != len(all["dark"]) || len(all["light"]) < 20 {
		t.Errorf("%d light and %d dark colours", len(all["light"]), len(all["dark"]))
	}
	_, rest, _ := strings.Cut(string(mustRead(t, "app.css")), "* { box-sizing")
	if found := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(|url\(|@import|https?:`).FindString(rest); found != "" {
		t.Errorf("beyond the themes the style has %s", found)
	}
	for _, used := range regexp.MustCompile(`var\(--([a-z-]+)\)`).FindAllStringSubmatch(rest, -1) {
		if all["light"][used[1]] == "" {
			t.Errorf("--%s is used and is not there", used[1])
		}
	}
}

// The script puts text into pages and nothing else, and asks nobody but this process.
func TestScriptIsTame(t *testing.T) {
	js := string(mustRead(t, "app.js"))
	if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|eval\(|Function\(|setAttribute|https?:|fetch\(|XMLHttp|\.style\b`).FindString(js); found != "" {
		t.Errorf("the script has %s", found)
	}
	if len(js) > 16<<10 {
		t.Errorf("the script has %d bytes", len(js))
	}
}

// What the pages promise to those who see little or use no mouse.
func TestPagesAreReachable(t *testing.T) {
	classes := regexp.MustCompile(`\.([a-z][a-z-]*)`).FindAllStringSubmatch(string(mustRead(t, "app.css")), -1)
	var styled []string
	for _, c := range classes {
		styled = append(styled, c[1])
	}
	d := newDashboard(t, busy())
	for _, page := range append([]string{"/ui/sign-in", "/ui/none"}, pages...) {
		got := d.get(page, tokenAll).Body.String()
		for _, part := range []string{`<html lang="en">`, `name="viewport" content="width=device-width, initial-scale=1"`, `<a class="skip" href="#main">`, `<main id="main"`, `<title>`} {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %s", page, part)
			}
		}
		if n := strings.Count(got, "<h1"); n != 1 {
			t.Errorf("%s has %d h1", page, n)
		}
		for _, input := range regexp.MustCompile(`<(input|select|textarea)[^>]*>`).FindAllString(got, -1) {
			if strings.Contains(input, `type="hidden"`) || strings.Contains(input, "aria-label") || strings.Contains(input, `id="when"`) {
				continue
			}
			before, _, _ := strings.Cut(got, input)
			if strings.LastIndex(before, "<label") <= strings.LastIndex(before, "</label>") {
				t.Errorf("%s: %s has no label", page, input)
			}
		}
		ids := map[string]bool{}
		for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(got, -1) {
			if ids[id[1]] {
				t.Errorf("%s: the id %s stands twice", page, id[1])
			}
			ids[id[1]] = true
		}
		for _, named := range regexp.MustCompile(`class="([^"]+)"`).FindAllStringSubmatch(got, -1) {
			for _, class := range strings.Fields(named[1]) {
				if !slices.Contains(styled, class) && !slices.Contains([]string{"created"}, class) {
					t.Errorf("%s: the class %s has no style", page, class)
				}
			}
		}
	}
	for _, part := range []string{":focus-visible", "prefers-reduced-motion", "tabular-nums"} {
		if !strings.Contains(string(mustRead(t, "app.css")), part) {
			t.Error(fmt.Sprint("the style lacks ", part))
		}
	}
}

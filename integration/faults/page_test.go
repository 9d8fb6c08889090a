package faults

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// madeUp are results of a run in which most rows were not run at all.
func madeUp() []*Result {
	kills := make([]float64, 200)
	for i := range kills {
		kills[i] = 10_000 + 30*float64(i)
	}
	r1 := &Result{Row: "R1", State: Passed, Seed: 7, TookMS: 61_000, Injected: 200, Jobs: 12_345, Starts: 12_545, Duplicates: 200, Recovery: kills}
	r1.Lateness.P99, r1.Lateness.Max = 12, 15_970
	r12 := &Result{Row: "R12", State: Passed, Seed: 7, TookMS: 1000, Injected: 3, Jobs: 50, Starts: 20, Lost: 30,
		First503: []float64{5, 700}, First201: []float64{1234}, Figures: []Figure{{"lost per fault, a|b", 10, "jobs", "counted"}}}
	r15 := &Result{Row: "R15", State: Passed, Seed: 7, Injected: 9, Starts: 1, Jobs: 1, Figures: []Figure{
		{"jobs taken from living workers, SIGSTOP", 0, "", "0"}, {"not a number", math.NaN(), "", ""}}}
	r18 := &Result{Row: "R18", State: NotTried, Seed: 7, Why: []string{"no Sentinel:\nuse a | b"}}
	r20 := &Result{Row: "R20", State: Passed, Seed: 7, Injected: 1, Why: []string{"a part was not"}}
	r23 := &Result{Row: "R23", State: Failed, Seed: 7, Injected: 15, Jobs: 4, Starts: 4, Early: 2, Figures: []Figure{
		{"503 within, OOM, p99", 12.34, "ms", "≤ 1000 ms"}, {"503 within, hang, p99", 1001, "ms", "≤ 1000 ms"}}}
	return []*Result{r1, r12, r15, r18, r20, r23}
}

func rendered(t *testing.T, language string, results []*Result, soaked *soakRecord, mutants bool) string {
	t.Helper()
	text, err := render(language, machine{CPU: "Abacus | 2", Cores: 2, Date: "2026-11-24"}, results, soaked, mutants)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPage(t *testing.T) {
	for language, wants := range map[string][]string{
		"en": {
			`| CPU | Abacus \| 2 |`, "| Redis | unknown |", "| seed | 7 |", "| sum of the time of all rows | 1m2s;",
			"\n| 39 | 5 | 4 | 1 | 34 |\n",
			"(R1, 200 kills), p50 / p95 / max | 13.00 s / 15.70 s / 15.97 s | 17 s at most | met |",
			"over 9 outages and clock steps | 0 | 0 | met |",
			"p99: OOM | 12.3 ms | 1 s at most | met |", "p99: hang | 1,001 ms | 1 s at most | **missed** |",
			"| lost | 30 | R12: 30 (passed) |", "| early starts | 2 | R23: 2 (**failed**) |", "| leaked keys | 0 | – |",
			"| 200 | 12,345 | 12,545 | 0 | 200 (0 unexplained) | 13.00 s / 15.70 s / 15.97 s | 12 ms / 15.97 s | – | – | passed |",
			"| 30 | 0 (0 unexplained) | – | 0 ms / 0 ms | 700 ms | 1,234 ms | passed |",
			"| **failed** |\n", `- **R18** (not tried): no Sentinel: use a \| b`, "- **R20** (passed): a part was not", "- **R2** (not tried): it was not run",
			`- lost per fault, a\|b: 10 jobs (counted)`, "- not a number: –\n", "It has not run for an hour yet.",
		},
		"ja": {
			`| CPU | Abacus \| 2 |`, "| Redis | 不明 |", "| シード | 7 |", "\n| 39 | 5 | 4 | 1 | 34 |\n",
			"（R1、200 回）、p50 / p95 / 最大 | 13.00 s / 15.70 s / 15.97 s | 17 s 以内 | 達成 |",
			"9 回） | 0 | 0 | 達成 |", "p99: hang | 1,001 ms | 1 s 以内 | **未達** |", "| 喪失 | 30 | R12: 30 (合格) |",
			"| **不合格** |\n", `- **R18**（未実施）: no Sentinel: use a \| b`, "- **R2**（未実施）: 実行されなかった", "1 時間の実行はまだありません。",
		},
	} {
		page := rendered(t, language, madeUp(), nil, false)
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %q is missing", language, want)
			}
		}
		for _, row := range Matrix() {
			if !strings.Contains(page, "\n| "+row.ID+" | "+row.Fault.in(language)+" | "+row.Invariant.in(language)+" | ") {
				t.Errorf("%s: %s is missing", language, row.ID)
			}
		}
		if found := regexp.MustCompile(`NaN|Inf\b|<no value>|Mutants\.md|\n\n\n`).FindString(page); found != "" {
			t.Errorf("%s: there is %q:\n%s", language, found, page)
		}
		if t.Failed() {
			t.Log(page)
		}
	}
}

// TestPageOfNothing: a page claims nothing that was not measured.
func TestPageOfNothing(t *testing.T) {
	page := rendered(t, "en", nil, nil, false)
	for _, want := range []string{"\n| 39 | 0 | 0 | 0 | 39 |\n", "(R1, 0 kills), p50 / p95 / max | – | 17 s at most | not measured |",
		"over 0 outages and clock steps | not measured | 0 | not measured |"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(page, "| passed |\n|") || strings.Contains(page, "| met |") {
		t.Errorf("of nothing is said:\n%s", page)
	}
	for _, r := range []*Result{{Row: "R1"}, {Row: "R1", State: "who knows"}} {
		if page := rendered(t, "en", []*Result{r}, nil, false); !strings.Contains(page, "\n| 39 | 1 | 0 | 1 | 38 |\n") {
			t.Errorf("%+v is not shown as failed", r)
		}
	}
}

func TestPageInBothLanguages(t *testing.T) {
	shape := func(language string) (all []string) {
		page := rendered(t, language, madeUp(), &soakRecord{Date: "2026-11-24", Result: madeUp()[0]}, true)
		for line := range strings.Lines(page) {
			switch {
			case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "```"):
				all = append(all, strings.Fields(line)[0])
			case strings.HasPrefix(line, "| R") && !strings.HasPrefix(line, "| Redis"): // the words of a row may hold other numbers
				cells := strings.Split(line, " | ")
				all = append(all, strings.Join(cells[3:7], " "))
			case strings.HasPrefix(line, "|"), strings.HasPrefix(line, "- "):
				all = append(all, strings.Join(slices.Sorted(slices.Values(regexp.MustCompile(`\d+(?:[.,]\d+)*`).FindAllString(line, -1))), " "))
			}
		}
		return all
	}
	en, ja := shape("en"), shape("ja")
	if !slices.Equal(en, ja) || len(en) < 100 {
		t.Errorf("in English\n%q\nin Japanese\n%q", en, ja)
	}
}

func TestWritePages(t *testing.T) {
	docs := t.TempDir()
	for _, language := range languages {
		if err := os.Mkdir(filepath.Join(docs, language), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	soaked := soakRecord{Date: "2026-11-23", Result: &Result{Row: "soak", State: Passed, Seed: 11, TookMS: 3_600_400, Injected: 180, Jobs: 100_000,
		Starts: 100_321, Duplicates: 21, Recovery: []float64{1, 2}, Figures: []Figure{{"memory of the worker at the end", 21.5, "MiB", ""}}}}
	if err := writeSoak(docs, soaked); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "en", "Mutants.md"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	results := slices.DeleteFunc(madeUp(), func(r *Result) bool { return r.Row == "R15" }) // its figure is no number
	if err := writePages(docs, results); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, wants := range map[string][]string{
		"en/Faults.md": {"| lasted | 1h0m0s |", "| date | 2026-11-23 |", "| faults | 180 |", "| duplicates | 21 (0 unexplained) |",
			"- memory of the worker at the end: 21.5 MiB", "](Mutants.md)"},
		"ja/Faults.md":    {"| 長さ | 1h0m0s |", "| 障害 | 180 |", "| 二重 | 21（説明なし 0） |", "](../en/Mutants.md)"},
		"en/Faults.jsonl": {`{"row":"R1","state":"passed","scale":"","seed":7,`, `"recovery_ms":[10000,10030,`, `"why":["no Sentinel:\nuse a | b"]`},
		"en/Soak.json":    {`"date": "2026-11-23"`, `"injected": 180`, `"recovery_ms": [`},
	} {
		for _, want := range wants {
			if !strings.Contains(read(name), want) {
				t.Errorf("%s: %q is missing:\n%s", name, want, read(name))
			}
		}
	}
	if lines := strings.Count(read("en/Faults.jsonl"), "\n"); lines != len(results) {
		t.Errorf("%d lines of results, want %d", lines, len(results))
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := table(&b, madeUp()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^R1  +passed +200 +12345 +12545 +0 .* 15\.97 s +– +– +61\.00 s$`, `(?m)^R18 +not tried `, `(?m)^R23 +failed `} {
		if !regexp.MustCompile(want).MatchString(b.String()) {
			t.Errorf("%s is missing:\n%s", want, b.String())
		}
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.0512: "0.0512", 12.345: "12.3", 99.99: "100", 123.4: "123", 1234567: "1,234,567", -1234: "-1,234",
		-123: "-123", math.Inf(1): "–"} {
		if got := number(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

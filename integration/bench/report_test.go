package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLineAsJSON(t *testing.T) {
	runs := []sample{{us: 30, asynq: 10}, {us: 10, asynq: 20}, {us: 20, asynq: 30}}
	l := makeLine("drain", "c=10", "jobs/s", runs, nil, map[string]counts{us: {}, asynq: {Early: 2}})
	const want = `{"case":"drain","param":"c=10","us":20,"asynq":20,"hand":null,"unit":"jobs/s","ratio_asynq":1,"ratio_hand":null,` +
		`"runs":{"asynq":[10,20,30],"us":[30,10,20]},` +
		`"checked":{"asynq":{"lost":0,"twice":0,"early":2},"us":{"lost":0,"twice":0,"early":0}}}`
	if got := l.json(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	more := map[string][]sample{"worker CPU (s/100k)": {{us: 3}, {us: 1}, {us: 2}, {asynq: 4}},
		"slowest script (ms)": {{us: 3}, {us: 1}, {us: 2}}}
	l = makeLine("drain", "c=10", "jobs/s", runs, more, nil)
	var extra struct{ Extra map[string]map[string]float64 }
	if err := json.Unmarshal([]byte(l.json()), &extra); err != nil {
		t.Fatal(err)
	}
	if got := extra.Extra["worker CPU (s/100k)"]; !maps.Equal(got, map[string]float64{us: 2, asynq: 4}) {
		t.Errorf("medians: %v", got)
	}
	if got := extra.Extra["slowest script (ms)"]; !maps.Equal(got, map[string]float64{us: 3}) {
		t.Errorf("what nobody may exceed is the largest: %v", got)
	}
}

func TestNoRatioToNothing(t *testing.T) {
	l := makeLine("lateness", "p50", "ms", []sample{{us: 1, asynq: 0}}, nil, nil)
	if l.RatioAsynq != nil || l.RatioHand != nil {
		t.Errorf("%s", l.json())
	}
}

// madeUp is a line of three runs a side, the second of which is the median.
func madeUp(name, param string, us3, asynq3, hand3 float64, extra map[string][]sample) line {
	var runs []sample
	for _, share := range []float64{0.5, 1, 2} {
		s := sample{}
		for side, v := range map[string]float64{us: us3, asynq: asynq3, hand: hand3} {
			if v != 0 {
				s[side] = v * share
			}
		}
		runs = append(runs, s)
	}
	return makeLine(name, param, "unit", runs, extra, map[string]counts{us: {}, asynq: {Early: 1234}, hand: {}})
}

// allGood is a run in which every goal is met.
func allGood() []line {
	load := func(redisUs float64) map[string][]sample {
		return map[string][]sample{redisCPU: {{us: redisUs, asynq: 6, hand: 0.4}}, workerCPU: {{us: 2, asynq: 10, hand: 1}},
			scriptP99: {{us: 1500, asynq: 100, hand: 200}}, slowestMS: {{us: 1.9, asynq: 0, hand: 0}}}
	}
	produced := map[string][]sample{redisCPU: {{us: 1}}, producerCPU: {{us: 2}}}
	burst := load(1)
	burst[gapMS] = []sample{{us: 2003}}
	return []line{
		madeUp("enqueue", "p=1", 8000, 6000, 9000, produced), madeUp("enqueue", "p=16", 150_000, 40_000, 50_000, produced),
		madeUp("enqueue", "bulk=100,p=16", 200_000, 0, 261_000, produced),
		madeUp("drain", "c=10", 43_210, 7000, 178_000, load(1)), madeUp("drain", "c=100", 116_000, 7100, 154_000, load(0.5)),
		madeUp("burst", burst50k, 900, 10_800, 290, burst),
		madeUp("lateness", "p50", 1.2, 3000, 0.9, map[string][]sample{"early (%)": {{us: 0, asynq: 8.8, hand: 0}}}),
		madeUp("lateness", "p99", 3.5, 6000, 2, nil),
		madeUp("idle", "trips", 0.7, 2.7, 0, nil), madeUp("idle", "cpu", 1.5, 2, 0, nil), madeUp("memory", "scheduled", 310, 556, 267, nil),
		madeUp("scale", "enqueue", 1.1, 0, 0, nil), madeUp("scale", "claim", 1.2, 0, 0, nil), madeUp("scale", "settle", 1.25, 0, 0, nil),
		madeUp("http", "registrations", 6000, 0, 10_000, nil),
		madeUp("fanout", "claims", 2.5, 0, 0, nil), madeUp("fanout", "p99", 8, 0, 0, nil),
		madeUp("workers", "2", 0.99, 0, 0, nil), madeUp("workers", "3", 0.95, 0, 0, nil), madeUp("workers", "4", 0.91, 0, 0, nil),
	}
}

func render(t *testing.T, language string, lines []line) string {
	t.Helper()
	page, err := report(language, machine{CPU: "Abacus", Cores: 2, Redis: "7.0.15"}, lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

var verdict = map[string][2]string{"en": {"met", "missed"}, "ja": {"達成", "未達"}}

func TestReport(t *testing.T) {
	for _, language := range languages {
		page := render(t, language, allGood())
		for _, r := range results() {
			if !strings.Contains(page, "\n| "+r.what.in(language)+" |") {
				t.Errorf("%s: the row %q is missing", language, r.what.in(language))
			}
		}
		for _, name := range caseNames {
			if !strings.Contains(page, "\n| "+name+" | 0 / 0 / 0 | 0 / 0 / 1,234 | 0 / 0 / 0 |\n") {
				t.Errorf("%s: nothing is said about the correctness of %s", language, name)
			}
			if !strings.Contains(page, "\n- **"+name+"**: ") {
				t.Errorf("%s: nothing is said about what %s does", language, name)
			}
		}
		for _, want := range []string{"| CPU | Abacus |", "| 43,210 (21,605–86,420) | 7,000 (3,500–14,000) | 178,000 (89,000–356,000) | 6.17 | 0.243 |",
			"| 1.20 (0.600–2.40) / 3.50 (1.75–7.00) |", "| drain c=10 | Punctual | 23.1 | 10.0 | 20.0 | 1.30 | ", "| 3 |"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %q is missing", language, want)
			}
		}
		if strings.Contains(page, verdict[language][1]+" /") || strings.Contains(page, ": "+verdict[language][1]) {
			t.Errorf("%s: a goal is missed:\n%s", language, page)
		}
	}
}

// TestEveryGoalCanBeMissed makes each figure bad in turn.
func TestEveryGoalCanBeMissed(t *testing.T) {
	bad := func(lines []line, f figure, x float64) {
		for i, l := range lines {
			if l.Case != f.name || l.Param != f.param {
				continue
			}
			if f.extra != "" {
				lines[i].Extra[f.extra].(map[string]float64)[us] = x
			} else {
				lines[i].Us = &x
			}
		}
	}
	missed := func(language string, lines []line, r row) int {
		for text := range strings.Lines(render(t, language, lines)) {
			if strings.HasPrefix(text, "| "+r.what.in(language)+" |") {
				return len(regexp.MustCompile(`[:/] `+verdict[language][1]).FindAllString(text, -1))
			}
		}
		t.Fatalf("no row %q", r.what.in(language))
		return 0
	}
	for _, language := range languages {
		for _, r := range results() {
			for _, f := range r.figures {
				if len(f.goals) == 0 {
					continue
				}
				low, high := allGood(), allGood()
				bad(low, f, 0)
				bad(high, f, 1e9)
				if n, m := missed(language, low, r), missed(language, high, r); n+m != len(f.goals) {
					t.Errorf("%s: %s %s %s: %d goals are missed, want %d", language, f.name, f.param, f.extra, n+m, len(f.goals))
				}
			}
		}
	}
	early := allGood()
	for i := range early {
		early[i].Checked = map[string]counts{us: {Early: 1}}
	}
	i := slices.IndexFunc(results(), func(r row) bool { return strings.HasPrefix(r.what.en, "starts before") })
	if missed("en", early, results()[i]) != 1 {
		t.Error("one early start does not miss the goal of none")
	}
}

// TestReportOfWhatWasNotMeasured: a page claims nothing that was not measured.
func TestReportOfWhatWasNotMeasured(t *testing.T) {
	page := render(t, "en", nil)
	if !strings.Contains(page, "| drain, concurrency 100 (jobs/s) | – | – | – | – | – | ≥ 16 × Asynq: not measured |") ||
		!strings.Contains(page, "Goals met: 0 of ") || strings.Contains(page, ": met") || !strings.Contains(page, "| Asynq | unknown |") {
		t.Errorf("of nothing is said:\n%s", page)
	}
	if page := render(t, "ja", nil); !strings.Contains(page, "≥ 16 × Asynq: 測定なし") || !strings.Contains(page, "| Asynq | 不明 |") {
		t.Errorf("of nothing is said:\n%s", page)
	}
}

func TestBothLanguagesHaveTheSameFigures(t *testing.T) {
	cells := func(language string) (all [][]string) {
		for text := range strings.Lines(render(t, language, allGood())) {
			if strings.HasPrefix(text, "| ") {
				all = append(all, regexp.MustCompile(`[0-9][0-9.,]*`).FindAllString(text[strings.Index(text[2:], "|"):], -1))
			}
		}
		return all
	}
	en, ja := cells("en"), cells("ja")
	if len(en) != len(ja) || len(en) < 40 {
		t.Fatalf("%d rows in English, %d in Japanese", len(en), len(ja))
	}
	for i := range en {
		if !slices.Equal(slices.Sorted(slices.Values(en[i])), slices.Sorted(slices.Values(ja[i]))) {
			t.Errorf("%q in English, %q in Japanese", en[i], ja[i])
		}
	}
}

func TestMostOfTheTime(t *testing.T) {
	for want, s := range map[string]shares{
		"Redis: its one thread is full":       {wall: 10, redis: 9, own: 9, cores: 2},
		"the machine: its cores (2) are full": {wall: 10, redis: 3, own: 9, other: 6, cores: 2},
		"waiting":                             {wall: 100, redis: 10, own: 20, cores: 2},
		"CPU of Redis, which is not full":     {wall: 10, redis: 6, own: 3, cores: 2},
		"CPU of the process":                  {wall: 10, redis: 3, own: 6, cores: 2},
	} {
		if got := s.most().en; got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	m := thisMachine()
	if m.Cores < 1 || m.Go == "" || m.OS == "" || m.CPU == "" || m.Date == "" {
		t.Errorf("%+v", m)
	}
}

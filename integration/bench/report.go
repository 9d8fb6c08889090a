package main

import (
	"bytes"
	"embed"
	"slices"
	"strings"
	"text/template"
)

//go:embed report.en.md.tmpl report.ja.md.tmpl
var templates embed.FS

// content is what the templates are filled with: words of one language, nothing to be reckoned any more.
type content struct {
	machine
	Runs       int
	Results    []resultRow
	Met, Goals int
	Safety     []safetyRow
	Costs      []costRow
}

type resultRow struct{ What, Us, Asynq, Hand, RatioAsynq, RatioHand, Goal string }

type safetyRow struct{ Case, Us, Asynq, Hand string }

// report renders the page of figures. All figures are those of lines; what was not measured is shown as such.
func report(language string, m machine, lines []line) ([]byte, error) {
	t, err := template.ParseFS(templates, "report."+language+".md.tmpl")
	if err != nil {
		return nil, err
	}
	unknown := words{"unknown", "不明"}.in(language)
	for _, field := range []*string{&m.CPU, &m.Memory, &m.OS, &m.Go, &m.Redis, &m.Asynq, &m.Client} {
		if *field == "" {
			*field = unknown
		}
	}
	c := content{machine: m, Safety: safety(lines), Costs: costs(language, m.Cores, lines)}
	for _, l := range lines {
		for _, v := range l.Runs {
			c.Runs = max(c.Runs, len(v))
		}
	}
	for _, r := range results() {
		c.Results = append(c.Results, c.result(language, r, lines))
	}
	var page bytes.Buffer
	err = t.Execute(&page, c)
	return page.Bytes(), err
}

// result makes a row and counts its goals.
func (c *content) result(language string, r row, lines []line) resultRow {
	var read []reading
	for _, f := range r.figures {
		read = append(read, f.read(lines))
	}
	each := func(show func(reading) string) string {
		var all []string
		for _, one := range read {
			all = append(all, show(one))
		}
		if !slices.ContainsFunc(all, func(s string) bool { return s != "–" }) {
			return "–"
		}
		return strings.Join(all, " / ")
	}
	ratio := func(a, b *side3) string {
		if a == nil || b == nil || b.middle == 0 {
			return "–"
		}
		return grouped(a.middle / b.middle)
	}
	return resultRow{
		What:       r.what.in(language),
		Us:         each(func(r reading) string { return r.us.text() }),
		Asynq:      each(func(r reading) string { return r.asynq.text() }),
		Hand:       each(func(r reading) string { return r.hand.text() }),
		RatioAsynq: each(func(r reading) string { return ratio(r.us, r.asynq) }),
		RatioHand:  each(func(r reading) string { return ratio(r.us, r.hand) }),
		Goal:       c.goals(language, r, read),
	}
}

// goals tells the goals of a row and whether each is met. A goal that stands for several figures is told once.
func (c *content) goals(language string, r row, read []reading) string {
	var texts []string
	verdicts := map[string][]string{}
	for i, f := range r.figures {
		for _, g := range f.goals {
			c.Goals++
			verdict := words{"not measured", "測定なし"}
			if met, known := g.met(read[i]); met {
				c.Met++
				verdict = words{"met", "達成"}
			} else if known {
				verdict = words{"missed", "未達"}
			}
			text := g.text.in(language)
			if verdicts[text] == nil {
				texts = append(texts, text)
			}
			verdicts[text] = append(verdicts[text], verdict.in(language))
		}
	}
	if len(texts) == 0 {
		return "–"
	}
	for i, text := range texts {
		texts[i] = text + ": " + strings.Join(verdicts[text], " / ")
	}
	return strings.Join(texts, "; ")
}

func find(lines []line, name, param string) (line, bool) {
	i := slices.IndexFunc(lines, func(l line) bool { return l.Case == name && l.Param == param })
	if i < 0 {
		return line{}, false
	}
	return lines[i], true
}

func (f figure) read(lines []line) reading {
	l, ok := find(lines, f.name, f.param)
	if !ok {
		return reading{}
	}
	of := func(side string, middle *float64) *side3 {
		if f.extra != "" {
			if v, ok := l.further(f.extra, side); ok {
				return &side3{v, v, v}
			}
			return nil
		}
		if middle == nil || len(l.Runs[side]) == 0 {
			return nil
		}
		return &side3{*middle, slices.Min(l.Runs[side]), slices.Max(l.Runs[side])}
	}
	return reading{us: of(us, l.Us), asynq: of(asynq, l.Asynq), hand: of(hand, l.Hand), checked: l.Checked}
}

// further is a further figure of one side.
func (l line) further(name, side string) (float64, bool) {
	of, ok := l.Extra[name].(map[string]float64)
	if !ok {
		return 0, false
	}
	v, ok := of[side]
	return v, ok
}

func (s *side3) text() string {
	switch {
	case s == nil:
		return "–"
	case s.least == s.most:
		return grouped(s.middle)
	}
	return grouped(s.middle) + " (" + grouped(s.least) + "–" + grouped(s.most) + ")"
}

// grouped is number with commas between the thousands.
func grouped(x float64) string {
	if x == 0 {
		return "0"
	}
	text := number(x)
	if x < 1000 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// safety has one row a case, for its lines share what was counted.
func safety(lines []line) (rows []safetyRow) {
	for _, name := range caseNames {
		i := slices.IndexFunc(lines, func(l line) bool { return l.Case == name })
		if i < 0 {
			continue
		}
		text := func(side string) string {
			c, ok := lines[i].Checked[side]
			if !ok {
				return "–"
			}
			return grouped(float64(c.Lost)) + " / " + grouped(float64(c.Twice)) + " / " + grouped(float64(c.Early))
		}
		rows = append(rows, safetyRow{name, text(us), text(asynq), text(hand)})
	}
	return rows
}

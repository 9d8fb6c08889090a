package faults

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed page.en.md.tmpl page.ja.md.tmpl
var templates embed.FS

var languages = []string{"en", "ja"}

func (t Text) in(language string) string {
	if language == "ja" {
		return t.JA
	}
	return t.EN
}

// page is what the templates are filled with: words of one language, nothing to be reckoned any more.
type page struct {
	machine
	Seed, Total                        string
	Rows, Tried, Passed, Bad, NotTried int
	Kills                              int
	Recovery, RecoveryMet              string // of R1
	Outages                            string
	Taken, TakenMet                    string // from living workers
	Refusals                           []refusalLine
	Totals                             []totalLine
	Matrix                             []matrixLine
	Figures                            []rowList
	Reasons                            []rowList // for which something was not tried
	Soak                               *soakPage
	Mutants                            bool // there is a page of them
}

type (
	refusalLine struct{ Kind, P99, Verdict string }
	totalLine   struct{ What, N, Where string }
	matrixLine  struct {
		ID, Fault, Invariant, Injected, Jobs, Starts, Lost, Duplicates, Recovery, Lateness, Refused, Resumed, State string
	}
	rowList struct {
		ID, Fault, State string
		Lines            []string
	}
	soakPage struct {
		matrixLine
		Date, Took, Seed, Other string
		Figures                 []string
	}
)

var (
	stateWords = map[string]Text{Passed: {"passed", "合格"}, Failed: {"**failed**", "**不合格**"}, NotTried: {"not tried", "未実施"}}
	met        = Text{"met", "達成"}
	missed     = Text{"**missed**", "**未達**"}
	unmeasured = Text{"not measured", "測定なし"}
	notRun     = Text{"it was not run", "実行されなかった"}
)

const (
	takenName   = "jobs taken from living workers"
	refusedName = "503 within, "
)

// render makes the page of one language. A row of the matrix without a result is shown as not tried.
func render(language string, m machine, results []*Result, soaked *soakRecord, mutants bool) ([]byte, error) {
	t, err := template.ParseFS(templates, "page."+language+".md.tmpl")
	if err != nil {
		return nil, err
	}
	for _, field := range []*string{&m.CPU, &m.OS, &m.Go, &m.Redis, &m.Date} {
		*field = cell(cmp.Or(*field, Text{"unknown", "不明"}.in(language)))
	}
	p := page{machine: m, Soak: soakOf(language, soaked), Mutants: mutants, Totals: totals(language, results)}
	var took int64
	for _, row := range Matrix() {
		i := slices.IndexFunc(results, func(r *Result) bool { return r.Row == row.ID })
		r := &Result{Row: row.ID, State: NotTried, Why: []string{notRun.in(language)}}
		if i >= 0 {
			r = results[i]
			p.Seed = strconv.FormatUint(r.Seed, 10)
		}
		took += r.TookMS
		p.row(language, row, r)
	}
	p.Total = (time.Duration(took) * time.Millisecond).Round(time.Second).String()
	p.promises(language, results)
	var out bytes.Buffer
	err = t.Execute(&out, p)
	return out.Bytes(), err
}

// row adds a row of the matrix.
func (p *page) row(language string, row Row, r *Result) {
	p.Rows++
	switch r.State {
	case Passed:
		p.Tried++
		p.Passed++
	case NotTried:
		p.NotTried++
	default:
		p.Tried++
		p.Bad++
	}
	line := lineOf(language, r)
	line.Fault, line.Invariant = cell(row.Fault.in(language)), cell(row.Invariant.in(language))
	p.Matrix = append(p.Matrix, line)
	if figures := figuresOf(r); len(figures) > 0 {
		p.Figures = append(p.Figures, rowList{row.ID, line.Fault, line.State, figures})
	}
	if len(r.Why) > 0 || r.State == NotTried {
		list := rowList{ID: row.ID, Fault: line.Fault, State: line.State}
		for _, why := range r.Why {
			list.Lines = append(list.Lines, cell(why))
		}
		p.Reasons = append(p.Reasons, list)
	}
}

func lineOf(language string, r *Result) matrixLine {
	state, ok := stateWords[r.State]
	if !ok {
		state = stateWords[Failed] // nothing else may pass for passed
	}
	line := matrixLine{ID: r.Row, State: state.in(language), Injected: count(r.Injected), Jobs: "–", Starts: "–", Lost: "–",
		Duplicates: "–", Recovery: "–", Lateness: "–", Refused: "–", Resumed: "–"}
	if r.State == NotTried {
		return line
	}
	line.Jobs, line.Starts, line.Lost = count(r.Jobs), count(r.Starts), count(r.Lost)
	line.Duplicates = fmt.Sprintf(Text{"%s (%s unexplained)", "%s（説明なし %s）"}.in(language), count(r.Duplicates), count(r.DuplicatesRefused))
	if r.Starts > 0 {
		line.Lateness = span(r.Lateness.P99) + " / " + span(r.Lateness.Max)
	}
	line.Recovery = quantiles(r.Recovery)
	if len(r.First503) > 0 {
		line.Refused = span(Quantile(r.First503, 0.99))
	}
	if len(r.First201) > 0 {
		line.Resumed = span(Quantile(r.First201, 1))
	}
	return line
}

// promises shows what the README promises beside what was measured.
func (p *page) promises(language string, results []*Result) {
	p.Recovery, p.RecoveryMet = "–", unmeasured.in(language)
	outages, taken, measured := 0, 0.0, false
	for _, r := range results {
		if r.Row == "R1" && len(r.Recovery) > 0 {
			p.Kills = len(r.Recovery)
			p.Recovery = quantiles(r.Recovery)
			p.RecoveryMet = verdict(language, Quantile(r.Recovery, 1), ms(Default.Recovery()))
		}
		here := false
		for _, f := range r.Figures {
			if strings.HasPrefix(f.Name, takenName) {
				taken += f.Value
				here = true
			}
			if kind, ok := strings.CutPrefix(f.Name, refusedName); ok {
				p.Refusals = append(p.Refusals, refusalLine{cell(strings.TrimSuffix(kind, ", p99")), span(f.Value), verdict(language, f.Value, 1000)})
			}
		}
		if here {
			outages += r.Injected
			measured = true
		}
	}
	p.Outages, p.Taken = count(outages), unmeasured.in(language)
	p.TakenMet = p.Taken
	if measured {
		p.Taken, p.TakenMet = number(taken), verdict(language, taken, 0)
	}
}

// totals adds up what must not happen, and names the rows where it did.
func totals(language string, results []*Result) (lines []totalLine) {
	for _, kind := range []struct {
		what Text
		of   func(*Result) int
	}{
		{Text{"lost", "喪失"}, func(r *Result) int { return r.Lost }},
		{Text{"unexpected runs", "予期しない実行"}, func(r *Result) int { return r.Unexpected }},
		{Text{"early starts", "早すぎる開始"}, func(r *Result) int { return r.Early }},
		{Text{"violations of I3 to I12", "I3〜I12 の違反"}, func(r *Result) int { return r.Violations }},
		{Text{"duplicates that nothing explains", "説明のつかない二重実行"}, func(r *Result) int { return r.DuplicatesRefused }},
		{Text{"findings of the audit", "audit の指摘"}, func(r *Result) int { return r.AuditFindings }},
		{Text{"leaked keys", "残ったキー"}, func(r *Result) int { return r.LeakedKeys }},
	} {
		n, where := 0, []string{}
		for _, r := range results {
			if k := kind.of(r); k != 0 {
				n += k
				where = append(where, fmt.Sprintf("%s: %s (%s)", r.Row, count(k), lineOf(language, r).State))
			}
		}
		lines = append(lines, totalLine{kind.what.in(language), count(n), cmp.Or(strings.Join(where, ", "), "–")})
	}
	return lines
}

func soakOf(language string, soaked *soakRecord) *soakPage {
	if soaked == nil {
		return nil
	}
	r := soaked.Result
	other := fmt.Sprintf("%d / %d / %d / %d / %d", r.Unexpected, r.Early, r.Violations, r.AuditFindings, r.LeakedKeys)
	took := (time.Duration(r.TookMS) * time.Millisecond).Round(time.Second).String()
	return &soakPage{matrixLine: lineOf(language, r), Date: soaked.Date, Took: took, Seed: strconv.FormatUint(r.Seed, 10), Other: other,
		Figures: figuresOf(r)}
}

func figuresOf(r *Result) (lines []string) {
	for _, f := range r.Figures {
		text := f.Name + ": " + number(f.Value)
		if f.Unit != "" {
			text += " " + f.Unit
		}
		if f.Goal != "" {
			text += " (" + f.Goal + ")"
		}
		lines = append(lines, cell(text))
	}
	return lines
}

func verdict(language string, value, most float64) string {
	if value <= most { // not a number is missed
		return met.in(language)
	}
	return missed.in(language)
}

func quantiles(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	return span(Quantile(values, 0.5)) + " / " + span(Quantile(values, 0.95)) + " / " + span(Quantile(values, 1))
}

// span is a number of ms with its unit; exact enough to tell 17 s from a little more.
func span(ms float64) string {
	if math.Abs(ms) >= 10_000 && !math.IsInf(ms, 0) {
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	}
	return number(ms) + " ms"
}

// number has three digits that count, and whole numbers all of theirs.
func number(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "–"
	case math.Abs(x) >= 100 || x == math.Trunc(x):
		return count(int(math.Round(x)))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// count has commas between the thousands.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// cell is a text as it can stand in one line of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

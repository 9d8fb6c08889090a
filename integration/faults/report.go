package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// Line is what a person at the terminal is told of a row.
func (r *Result) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: injected %d, jobs %d, starts %d, lost %d, unexpected %d, early %d, violations %d, duplicates %d (%d unexplained), audit %d, leaked keys %d",
		r.Row, r.State, r.Injected, r.Jobs, r.Starts, r.Lost, r.Unexpected, r.Early, r.Violations, r.Duplicates, r.DuplicatesRefused, r.AuditFindings, r.LeakedKeys)
	fmt.Fprintf(&b, "\n  lateness p50 %.4g, p99 %.4g, max %.4g ms", r.Lateness.P50, r.Lateness.P99, r.Lateness.Max)
	for _, m := range []struct {
		name   string
		values []float64
	}{{"recovery", r.Recovery}, {"503 after", r.First503}, {"201 again after", r.First201}} {
		if len(m.values) > 0 {
			fmt.Fprintf(&b, "\n  %s p50 %.4g, p95 %.4g, p99 %.4g, max %.4g ms (%d)", m.name, Quantile(m.values, 0.5), Quantile(m.values, 0.95),
				Quantile(m.values, 0.99), Quantile(m.values, 1), len(m.values))
		}
	}
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "\n  %s", f)
	}
	for _, why := range r.Why {
		fmt.Fprintf(&b, "\n  not tried: %s", why)
	}
	return b.String()
}

// table shows a person at the terminal the whole of a run.
func table(w io.Writer, results []*Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "row\tstate\tinjected\tjobs\tstarts\tlost\tunexpected\tearly\tviolations\tduplicates\tunexplained\taudit\tleaked\trecovery max\t503 p99\t201 after\ttook")
	for _, r := range results {
		line := lineOf("en", r)
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t", r.Row, r.State, r.Injected, r.Jobs, r.Starts, r.Lost, r.Unexpected,
			r.Early, r.Violations, r.Duplicates, r.DuplicatesRefused, r.AuditFindings, r.LeakedKeys)
		longest := "–"
		if len(r.Recovery) > 0 {
			longest = span(Quantile(r.Recovery, 1))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", longest, line.Refused, line.Resumed, span(float64(r.TookMS)))
	}
	return t.Flush()
}

// asLines is one line of JSON a result.
func asLines(results []*Result) ([]byte, error) {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Row, err)
		}
	}
	return raw.Bytes(), nil
}

// writePages writes Faults.md of each language, and the results themselves beside the English one. What the soak has left in
// docs becomes a part of it.
func writePages(docs string, results []*Result) error {
	soaked, err := readSoak(docs)
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(docs, "en", "Mutants.md"))
	mutants := err == nil
	m := thisMachine()
	for _, language := range languages {
		page, err := render(language, m, results, soaked, mutants)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(docs, language, "Faults.md"), page, 0o644); err != nil {
			return err
		}
	}
	raw, err := asLines(results)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "en", "Faults.jsonl"), raw, 0o644)
}

// soakRecord is what a soak leaves for the page.
type soakRecord struct {
	Date string `json:"date"`
	*Result
}

func soakFile(docs string) string { return filepath.Join(docs, "en", "Soak.json") }

func writeSoak(docs string, soaked soakRecord) error {
	text, err := json.MarshalIndent(soaked, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(soakFile(docs), append(text, '\n'), 0o644)
}

// readSoak returns nil if there is none.
func readSoak(docs string) (*soakRecord, error) {
	text, err := os.ReadFile(soakFile(docs))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	soaked := &soakRecord{Result: &Result{}}
	if err := json.Unmarshal(text, soaked); err != nil {
		return nil, fmt.Errorf("%s: %w", soakFile(docs), err)
	}
	return soaked, nil
}

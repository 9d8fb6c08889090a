package faults

import (
	"errors"
	"fmt"
	"strings"
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

func writePages(string, []*Result) error { return errors.New("to be written") }

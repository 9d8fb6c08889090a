package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// sample is the value of one measurement for each side; a side that was not measured is not in it.
type sample map[string]float64

// The sides, in the order in which they are run and shown.
const (
	us    = "us"
	asynq = "asynq"
	hand  = "hand"
)

var sides = []string{us, asynq, hand}

// line is one row of the result: the median over the runs.
type line struct {
	Case       string               `json:"case"`
	Param      string               `json:"param"`
	Us         *float64             `json:"us"`
	Asynq      *float64             `json:"asynq"`
	Hand       *float64             `json:"hand"`
	Unit       string               `json:"unit"`
	RatioAsynq *float64             `json:"ratio_asynq"`     // us / asynq
	RatioHand  *float64             `json:"ratio_hand"`      // us / hand
	Runs       map[string][]float64 `json:"runs"`            // every measurement, in order
	Checked    map[string]counts    `json:"checked"`         // sums over the runs of the case
	Extra      map[string]any       `json:"extra,omitempty"` // what else was seen, medians by side; maxima of what is in maxima
}

// maxima are the further figures of which the largest counts: they say what never happened.
var maxima = map[string]bool{slowestMS: true, gapMS: true,
	"most claims for one job": true, "latest (ms)": true, earlyShare: true}

// makeLine takes medians and their ratios. extra holds samples of further figures by name.
func makeLine(name, param, unit string, runs []sample, extra map[string][]sample, checked map[string]counts) line {
	l := line{Case: name, Param: param, Unit: unit, Runs: map[string][]float64{}, Checked: checked}
	l.Us, l.Asynq, l.Hand = middle(runs, us), middle(runs, asynq), middle(runs, hand)
	l.RatioAsynq, l.RatioHand = ratio(l.Us, l.Asynq), ratio(l.Us, l.Hand)
	for _, s := range sides {
		if v := values(runs, s); len(v) > 0 {
			l.Runs[s] = v
		}
	}
	for figure, samples := range extra {
		of := map[string]float64{}
		for _, s := range sides {
			if v := values(samples, s); len(v) > 0 && maxima[figure] {
				of[s] = slices.Max(v)
			} else if len(v) > 0 {
				of[s] = percentile(v, 50)
			}
		}
		if l.Extra == nil {
			l.Extra = map[string]any{}
		}
		l.Extra[figure] = of
	}
	return l
}

func values(runs []sample, side string) (v []float64) {
	for _, r := range runs {
		if x, ok := r[side]; ok {
			v = append(v, x)
		}
	}
	return v
}

func middle(runs []sample, side string) *float64 {
	v := values(runs, side)
	if len(v) == 0 {
		return nil
	}
	m := percentile(v, 50)
	return &m
}

func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *b == 0 {
		return nil
	}
	r := *a / *b
	return &r
}

// percentile is the nearest-rank percentile: the smallest value that at least p % do not exceed. 0 of none.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	rank := int(p/100*float64(len(v))+0.999999) - 1
	return v[min(max(rank, 0), len(v)-1)]
}

func (l line) json() string {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	return string(b)
}

// text is the line for people.
func (l line) text() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%-9s %-16s", l.Case, l.Param)
	for _, side := range []struct {
		name  string
		value *float64
	}{{us, l.Us}, {asynq, l.Asynq}, {hand, l.Hand}} {
		if side.value != nil {
			v := l.Runs[side.name]
			fmt.Fprintf(&s, "  %s %s (%s–%s)", side.name, number(*side.value), number(slices.Min(v)), number(slices.Max(v)))
		}
	}
	fmt.Fprintf(&s, " %s", l.Unit)
	if l.RatioAsynq != nil {
		fmt.Fprintf(&s, "  %s × asynq", number(*l.RatioAsynq))
	}
	if l.RatioHand != nil {
		fmt.Fprintf(&s, "  %s × hand", number(*l.RatioHand))
	}
	return s.String()
}

// number shows three digits of what is small and whole numbers of what is not.
func number(x float64) string {
	switch {
	case x >= 100 || x <= -100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10 || x <= -10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1 || x <= -1:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.3f", x)
	}
}

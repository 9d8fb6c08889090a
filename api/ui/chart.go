package ui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// A chart is drawn by templates/parts.html as SVG, with nothing but attributes: the policy allows no inline style.
type chart struct {
	Title, Says   string // what it is; what can be read from it, for who does not see it
	Width, Height int
	Plot          plot
	Lines         []chartLine
	Rules         []chartMark // across, with their values
	Ticks         []chartMark // times beneath
	Spots         []chartSpot // one a point: what it is, for who points at it
	Empty         bool
}

// plot is where the lines are, within a chart.
type plot struct{ Left, Right, Top, Height, Scale, Foot, Middle, Center float64 }

// chartLine is one course over time.
type chartLine struct {
	Name, Class string
	Path        string // of an SVG path
	Area        string // the same, filled down to the axis; "" if not
}

type chartMark struct {
	At   string
	Text string
}

type chartSpot struct {
	X, Width string
	Text     string
}

// The inside of a chart, in its own units.
const (
	chartWidth, chartHeight         = 640, 200
	chartLeft, chartRight           = 84, 8 // a phone writes the scale larger
	chartTop, chartBottom           = 10, 28
	plotWidth, plotHeight   float64 = chartWidth - chartLeft - chartRight, chartHeight - chartTop - chartBottom
)

func newChart(title string) chart {
	return chart{Title: title, Width: chartWidth, Height: chartHeight, Plot: plot{Left: chartLeft, Right: chartWidth - chartRight, Top: chartTop, Height: plotHeight,
		Scale: chartLeft - 8, Foot: chartHeight - 5, Middle: chartTop + plotHeight/2, Center: chartLeft + plotWidth/2}}
}

func coordinate(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

func x(i, n int) float64 { return chartLeft + plotWidth*(float64(i)+0.5)/float64(max(n, 1)) }

// y of a part of the whole, 0 at the bottom.
func y(part float64) float64 { return chartTop + plotHeight*(1-min(max(part, 0), 1)) }

// line draws values, each a part of the whole; NaN is a gap.
func line(name, class string, parts []float64, filled bool) chartLine {
	l := chartLine{Name: name, Class: class}
	var path strings.Builder
	pen, first, last := false, -1, -1 // what is drawn
	for i, p := range parts {
		if math.IsNaN(p) {
			pen = false
			continue
		}
		if last = i; first < 0 {
			first = i
		}
		command := "L"
		if !pen {
			command = "M"
		}
		at := coordinate(x(i, len(parts))) + " " + coordinate(y(p))
		path.WriteString(command + at)
		if lonely := !pen && (i+1 == len(parts) || math.IsNaN(parts[i+1])); lonely {
			path.WriteString("h0.1") // a point without neighbours would not be seen
		}
		pen = true
	}
	l.Path = path.String()
	if filled && first < last {
		foot := coordinate(y(0))
		l.Area = "M" + coordinate(x(first, len(parts))) + " " + foot + "L" + l.Path[1:] + "L" + coordinate(x(last, len(parts))) + " " + foot + "Z"
	}
	return l
}

// ticks puts some times beneath, as people of UTC read them.
func (c *chart) ticks(bins []queue.Minute) {
	step := max(1, (len(bins)+5)/6)
	for i := step / 2; i < len(bins); i += step {
		c.Ticks = append(c.Ticks, chartMark{coordinate(x(i, len(bins))), bins[i].Start.UTC().Format("15:04")})
	}
}

func (c *chart) spot(i, n int, text string) {
	width := plotWidth / float64(max(n, 1))
	c.Spots = append(c.Spots, chartSpot{coordinate(x(i, n) - width/2), coordinate(width), text})
}

// begun is how much of a time must be over to tell a rate of it.
const begun = 15 * time.Second

// rateChart shows jobs that were done, and attempts that failed, a minute. The last time is not over yet: its rate is that of what is.
func rateChart(bins []queue.Minute, size time.Duration, now time.Time) chart {
	c := newChart("Jobs per minute")
	done, failed := make([]float64, len(bins)), make([]float64, len(bins))
	most := 0.0
	for i, b := range bins {
		over := size
		if i == len(bins)-1 {
			over = min(size, now.Sub(b.Start))
		}
		if over < begun {
			done[i], failed[i] = math.NaN(), math.NaN()
			continue
		}
		done[i] = float64(b.Counters["done"]) / over.Minutes()
		failed[i] = float64(b.Counters["retried"]+b.Counters["dead"]) / over.Minutes()
		most = max(most, done[i], failed[i])
		c.spot(i, len(bins), fmt.Sprintf("%s UTC: %s done, %s failed a minute", b.Start.UTC().Format("15:04"), rate(done[i]), rate(failed[i])))
	}
	c.Empty = most == 0
	top := niceTop(most)
	for _, part := range []float64{0, 0.5, 1} {
		c.Rules = append(c.Rules, chartMark{coordinate(y(part)), rate(part * top)})
	}
	for i := range bins {
		done[i], failed[i] = done[i]/top, failed[i]/top
	}
	c.Lines = []chartLine{line("done", "done", done, true), line("failed", "dead", failed, false)}
	c.ticks(bins)
	c.Says = fmt.Sprintf("At most %s jobs a minute.", rate(most))
	return c
}

// niceTop is the least of 1, 2, 5, 10, 20, … that is not below a number.
func niceTop(most float64) float64 {
	for scale := 1.0; ; scale *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if n*scale >= most {
				return max(n*scale, 2)
			}
		}
	}
}

func rate(n float64) string {
	switch {
	case n == math.Trunc(n):
		return count(int(n))
	case n < 10:
		return fmt.Sprintf("%.1f", n)
	}
	return count(int(math.Round(n)))
}

// The lateness chart goes by powers of ten, from 1 ms to 100 s.
const latestExponent = 5

func latenessPart(d time.Duration) float64 {
	ms := max(float64(d.Microseconds())/1000, 1)
	return math.Log10(ms) / latestExponent
}

// latenessChart shows p50 and p99 of the lateness of claims.
func latenessChart(bins []queue.Minute) chart {
	c := newChart("Lateness of claims")
	p50, p99 := make([]float64, len(bins)), make([]float64, len(bins))
	var worst time.Duration
	c.Empty = true
	for i, b := range bins {
		half, ok := b.Lateness(0.5)
		nearly, _ := b.Lateness(0.99)
		if p50[i], p99[i] = math.NaN(), math.NaN(); !ok {
			c.spot(i, len(bins), b.Start.UTC().Format("15:04")+" UTC: nothing was claimed")
			continue
		}
		c.Empty = false
		p50[i], p99[i] = latenessPart(half), latenessPart(nearly)
		worst = max(worst, nearly)
		c.spot(i, len(bins), fmt.Sprintf("%s UTC: half within %s, 99 of 100 within %s", b.Start.UTC().Format("15:04"), span(half), span(nearly)))
	}
	for e, name := range []string{"1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"} {
		c.Rules = append(c.Rules, chartMark{coordinate(y(float64(e) / latestExponent)), name})
	}
	c.Lines = []chartLine{line("p99", "late", p99, false), line("p50", "claim", p50, false)}
	c.ticks(bins)
	c.Says = "Nothing was claimed."
	if !c.Empty {
		c.Says = "99 of 100 claims within " + span(worst) + " at worst."
	}
	return c
}

// barPart is the part of one state in a bar of 100 units.
type barPart struct {
	X, Width string
	Class    string
	Text     string
}

// stateBar shows how the jobs of a queue are spread over the states. A state that has jobs has at least two units.
func stateBar(o queue.Overview) []barPart {
	parts := []struct {
		class string
		n     int
	}{{"scheduled", o.Scheduled - o.Due}, {"due", o.Due}, {"processing", o.Processing}, {"dead", o.Dead}, {"done", o.Done}}
	sum, least := 0, 0.0
	for _, p := range parts {
		if sum += max(p.n, 0); p.n > 0 {
			least += 2
		}
	}
	var bar []barPart
	at := 0.0
	for _, p := range parts {
		if p.n <= 0 {
			continue
		}
		width := 2 + (100-least)*float64(p.n)/float64(sum)
		bar = append(bar, barPart{coordinate(at), fmt.Sprintf("%.2f", width), p.class, count(p.n) + " " + p.class})
		at += width
	}
	return bar
}

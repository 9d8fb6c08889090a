package faults

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

var (
	wanted = flag.String("rows", "", "rows to run, as \"R1 R5\"; empty: all that the scale has time for")
	scale  = flag.String("scale", "quick", "quick or full")
	seed   = flag.Uint64("seed", 0, "seed of everything that is chosen; 0 takes one by the clock")
	docs   = flag.String("docs", "", "folder with en and ja, where Faults.md is written by a full run over all rows")
	saveTo = flag.String("json", "", "file for the results, one line of JSON a row")
)

var finished struct {
	sync.Mutex
	results []*Result
}

func TestMain(m *testing.M) {
	flag.Parse()
	queue.QuietDriver() // a server that is down is no news here
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	code := m.Run()
	built.Remove()
	if err := publish(finished.results); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// TestFaults runs the matrix.
func TestFaults(t *testing.T) {
	if *scale != string(Quick) && *scale != string(Full) {
		t.Fatalf("scale %q: use quick or full", *scale)
	}
	redistest.NeedProcess(t)
	t.Logf("repeat this run with SEED=%d SCALE=%s", *seed, *scale)
	named := strings.Fields(*wanted)
	matrix := Matrix()
	for _, id := range named {
		if !slices.ContainsFunc(matrix, func(r Row) bool { return r.ID == id }) {
			t.Fatalf("there is no row %s: rows are R1 to R39", id)
		}
	}
	for _, row := range matrix {
		if len(named) > 0 && !slices.Contains(named, row.ID) {
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			if Scale(*scale) == Quick || !row.Alone { // rows mostly wait
				t.Parallel()
			}
			play(t, row, len(named) > 0)
		})
	}
}

// play runs one row and keeps its result.
func play(t *testing.T, row Row, named bool) {
	result := &Result{Row: row.ID, Scale: *scale, Seed: *seed}
	conclude(t, result, func() {
		finished.Lock()
		defer finished.Unlock()
		finished.results = append(finished.results, result)
	})
	run := &Run{T: t, Scale: Scale(*scale), Rand: rand.New(rand.NewPCG(*seed, uint64(len(row.ID)))), Result: result}
	switch {
	case row.Run == nil:
		run.NotTried("no test for it yet")
	case row.Full && run.Scale == Quick && !named:
		run.NotTried("takes too long for the quick form")
	}
	row.Run(run)
	if result.Injected == 0 && !t.Failed() && len(result.Why) == 0 {
		t.Error("the row has injected nothing")
	}
}

// conclude settles a result when the test ends, and has it kept.
func conclude(t *testing.T, result *Result, keep func()) {
	begin := time.Now()
	t.Cleanup(func() {
		result.TookMS = time.Since(begin).Milliseconds()
		switch {
		case t.Failed():
			result.State = Failed
		case result.Injected == 0:
			result.State = NotTried
		default:
			result.State = Passed
		}
		t.Log(result.Line())
		keep()
	})
}

// publish saves the results and, after a full run over all rows, writes the page.
func publish(results []*Result) error {
	if len(results) == 0 {
		return nil
	}
	order := func(r *Result) int { return slices.IndexFunc(Matrix(), func(row Row) bool { return row.ID == r.Row }) }
	slices.SortFunc(results, func(a, b *Result) int { return order(a) - order(b) })
	defer func() { _ = table(os.Stdout, results) }() // so that it is the last that is seen
	if *saveTo != "" {
		raw, err := asLines(results)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*saveTo, raw, 0o644); err != nil {
			return err
		}
	}
	if *docs == "" {
		return nil
	}
	if *scale != string(Full) || len(results) < len(Matrix()) {
		fmt.Println("Faults.md is left as it is: only a run of SCALE=full over all rows writes it")
		return nil
	}
	return writePages(*docs, results)
}

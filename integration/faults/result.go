package faults

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// The states of a row.
const (
	Passed   = "passed"
	Failed   = "failed"
	NotTried = "not tried"
)

// Result is what a row has shown. All durations are in ms.
type Result struct {
	Row      string   `json:"row"`
	State    string   `json:"state"`
	Why      []string `json:"why,omitempty"` // not tried, or a part of it was not
	Scale    string   `json:"scale"`
	Seed     uint64   `json:"seed"`
	TookMS   int64    `json:"took_ms"`
	Injected int      `json:"injected"` // how often the fault was there

	Jobs              int `json:"jobs"` // acknowledged with 201
	Starts            int `json:"starts"`
	Lost              int `json:"lost"`
	Unexpected        int `json:"unexpected"`
	Early             int `json:"early"`
	Violations        int `json:"violations"`         // of the invariants I3 to I12
	Duplicates        int `json:"duplicates"`         // second runs that the fault explains
	DuplicatesRefused int `json:"duplicates_refused"` // second runs that nothing explains
	AuditFindings     int `json:"audit_findings"`
	LeakedKeys        int `json:"leaked_keys"`

	Recovery []float64 `json:"recovery_ms,omitempty"`  // from the fault to the second start
	First503 []float64 `json:"first_503_ms,omitempty"` // from a request to its 503
	First201 []float64 `json:"first_201_ms,omitempty"` // from the end of the fault to the first 201

	// Lateness is claim time minus due time; of several scenes, the worst of each.
	Lateness struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
		Max float64 `json:"max"`
	} `json:"lateness_ms"`

	Figures []Figure `json:"figures,omitempty"` // what else was measured

	mu sync.Mutex
}

// Figure is one measured number, with what it is held to.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal,omitempty"`
}

func (f Figure) String() string {
	s := fmt.Sprintf("%s %.4g", f.Name, f.Value)
	if f.Unit != "" {
		s += " " + f.Unit
	}
	if f.Goal != "" {
		s += " (" + f.Goal + ")"
	}
	return s
}

func (r *Result) lock() func() { r.mu.Lock(); return r.mu.Unlock }

// ms is a duration as results keep it.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Quantile of values by nearest rank; 0 if there are none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	i := int(q * float64(len(sorted)))
	return sorted[min(i, len(sorted)-1)]
}

package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Kinds of Backoff.
const (
	BackoffExponential = "exponential"
	BackoffFixed       = "fixed"
	BackoffList        = "list"
)

// Backoff of one job's retries. As JSON it is {"kind": "exponential", "base_seconds": 1, "cap_seconds": 60}, {"kind": "fixed",
// "seconds": 5} or {"kind": "list", "seconds": [1, 5, 30]}, each to the ms.
type Backoff struct {
	Kind   string          // BackoffExponential, BackoffFixed or BackoffList
	Base   time.Duration   // exponential: at most before the first retry, doubled for each further one, 0 means 1 s; fixed: before each
	Cap    time.Duration   // exponential: at most before any retry; 0 means 1 h, or Base if that is longer
	Delays []time.Duration // list: before retry 1, 2, …; the last repeats. 1 to 100
}

const maxBackoffDelays = 100

// normalized fills in the defaults, and says what is wrong with it; "" for nothing.
func (b Backoff) normalized() (*Backoff, string) {
	n := Backoff{Kind: b.Kind}
	bad := func(d time.Duration) bool { return d < 0 || d > MaxDelay }
	switch b.Kind {
	case BackoffExponential:
		n.Base, n.Cap = b.Base, b.Cap
		setDefault(&n.Base, time.Second)
		setDefault(&n.Cap, max(time.Hour, n.Base))
		if bad(n.Base) || bad(n.Cap) || n.Cap < n.Base {
			return nil, "base_seconds and cap_seconds must not be negative or over 10 years, nor the cap below the base"
		}
	case BackoffFixed:
		if n.Base = b.Base; bad(n.Base) {
			return nil, "seconds must be between 0 and 10 years (315360000)"
		}
	case BackoffList:
		if len(b.Delays) < 1 || len(b.Delays) > maxBackoffDelays {
			return nil, "seconds must list 1 to 100 delays"
		}
		for _, d := range b.Delays {
			if bad(d) {
				return nil, "each of seconds must be between 0 and 10 years (315360000)"
			}
			n.Delays = append(n.Delays, d.Round(time.Millisecond))
		}
	default:
		return nil, `kind must be "exponential", "fixed" or "list"`
	}
	n.Base, n.Cap = n.Base.Round(time.Millisecond), n.Cap.Round(time.Millisecond)
	return &n, ""
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// backoffJSON is a Backoff as JSON.
type backoffJSON struct {
	Kind    string          `json:"kind"`
	Base    *float64        `json:"base_seconds,omitempty"`
	Cap     *float64        `json:"cap_seconds,omitempty"`
	Seconds json.RawMessage `json:"seconds,omitempty"`
}

// MarshalJSON writes it as above.
func (b Backoff) MarshalJSON() ([]byte, error) {
	j := backoffJSON{Kind: b.Kind}
	var err error
	switch base, limit := b.Base.Seconds(), b.Cap.Seconds(); b.Kind {
	case BackoffExponential:
		j.Base, j.Cap = &base, &limit
	case BackoffFixed:
		j.Seconds, err = json.Marshal(base)
	case BackoffList:
		all := make([]float64, len(b.Delays))
		for i, d := range b.Delays {
			all[i] = d.Seconds()
		}
		j.Seconds, err = json.Marshal(all)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads it as above. What is not of its kind is left out; Validate tells of what is missing.
func (b *Backoff) UnmarshalJSON(text []byte) error {
	var j backoffJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*b = Backoff{Kind: j.Kind}
	var err error
	switch j.Kind {
	case BackoffExponential:
		if j.Base != nil {
			b.Base = seconds(*j.Base)
		}
		if j.Cap != nil {
			b.Cap = seconds(*j.Cap)
		}
	case BackoffFixed:
		var one *float64
		if err = json.Unmarshal(j.Seconds, &one); err == nil && one == nil {
			err = errors.New("it is null")
		}
		if err == nil {
			b.Base = seconds(*one)
		}
	case BackoffList:
		var all []float64
		err = json.Unmarshal(j.Seconds, &all)
		for _, s := range all {
			b.Delays = append(b.Delays, seconds(s))
		}
	}
	if err != nil {
		return fmt.Errorf("seconds of a backoff of kind %s: %w", j.Kind, err)
	}
	return nil
}

// seconds is a duration to the ms. What no duration can hold becomes one that Validate refuses.
func seconds(s float64) time.Duration {
	if ms := math.Round(s * 1000); math.Abs(ms) <= float64(2*MaxDelay.Milliseconds()) {
		return time.Duration(ms) * time.Millisecond
	}
	if s < 0 {
		return -2 * MaxDelay
	}
	return 2 * MaxDelay
}

package worker

import (
	"math"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// ceiling is min(cap, base·2^(n-1)), computed another way.
func ceiling(base, most time.Duration, n int) time.Duration {
	return time.Duration(math.Min(float64(most), float64(base)*math.Pow(2, float64(n-1))))
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	for n := 1; n <= 70; n++ {
		top := ceiling(time.Second, time.Hour, n)
		least, most := time.Duration(math.MaxInt64), time.Duration(-1)
		for range 2000 {
			d := backoff(time.Second, time.Hour, n)
			least, most = min(least, d), max(most, d)
		}
		if least < 0 || most > top {
			t.Fatalf("n=%d: %s to %s, want 0 to %s", n, least, most, top)
		}
		// Full jitter: of 2000 draws the extremes miss the outer fiftieth with probability e^-40.
		if least > top/50 || most < top-top/50 {
			t.Errorf("n=%d: only %s to %s of 0 to %s", n, least, most, top)
		}
	}
}

// The ends of the range belong to it.
func TestBackoffReachesBothEnds(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 2000 {
		seen[backoff(1, 4, 2)] = true
	}
	if len(seen) != 3 || !seen[0] || !seen[1] || !seen[2] {
		t.Errorf("of 0, 1 and 2 ns: %v", seen)
	}
}

func TestBackoffAtTheEdges(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		base, most time.Duration
		n          int
		top        time.Duration
	}{
		{0, time.Hour, 5, 0}, {0, 0, 1, 0}, {time.Second, 0, 1, 0}, {time.Hour, time.Second, 3, time.Second},
		{1, most, 64, queue.MaxDelay}, {1, most, 1001, queue.MaxDelay}, {most, most, 1, queue.MaxDelay}, {most, most, 1001, queue.MaxDelay},
		{time.Second, time.Hour, 0, time.Second}, {time.Second, time.Hour, -3, time.Second},
	} {
		for range 100 {
			if d := backoff(c.base, c.most, c.n); d < 0 || d > c.top {
				t.Fatalf("%+v: %s", c, d)
			}
		}
	}
}

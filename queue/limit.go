package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

var limitScript = loadScript("limit")

// Limit counts one more request of a subject against rate a second with bursts of burst, over all processes that share this
// Redis (GCRA). wait is 0 if it may go on, else how long to wait before it is tried again. ErrInvalid for a rate or burst that is
// not positive.
func (c *Client) Limit(ctx context.Context, subject string, rate float64, burst int) (wait time.Duration, err error) {
	if !(rate > 0) || burst < 1 || float64(burst)/rate > MaxDelay.Seconds() {
		return 0, &InvalidError{"rate_limit", "must be a positive rate a second and a burst of at least 1, refilled within 10 years"}
	}
	sum := sha256.Sum256([]byte(subject))
	words, err := c.askOne(ctx, &call{script: limitScript, keys: []string{keyLimit(hex.EncodeToString(sum[:]))},
		args: []any{strconv.FormatFloat(float64(time.Second/time.Microsecond)/rate, 'f', -1, 64), burst}})
	if err != nil {
		return 0, err
	}
	if len(words) != 2 || words[0] != "ok" {
		return 0, fmt.Errorf("%w: script limit answered %q", ErrUnavailable, words)
	}
	return time.Duration(max(0, millis(words[1]))) * time.Microsecond, nil
}

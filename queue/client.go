package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// LayoutVersion is the layout of the data in Redis that this package reads and writes.
const LayoutVersion = 1

// Options of Open. Zero values mean the defaults.
type Options struct {
	// Timeout bounds one exchange with Redis where the context sets no earlier deadline. Default 3 s.
	Timeout time.Duration
	// TLS is used with a rediss:// URL in place of what the URL says, which is to verify the server against the system's roots.
	TLS *tls.Config
	// EnqueueWait makes each enqueue wait, after the primary has written the job, until n replicas have confirmed it (WAIT), or until
	// the primary has synced it to its disk (WaitAOF; Redis 7.2 or newer with its append-only file on). It waits for half of the time
	// that is left to the caller, or of Timeout; what is not confirmed by then is ErrNotDurable. Default 0: no wait.
	EnqueueWait int
	// MaxScheduled bounds the scheduled jobs of a queue: what is enqueued beyond is refused with ErrQueueFull. 0: no bound.
	MaxScheduled int
	// RoundTrip, if set, is told after each round trip to Redis how long it took, the wait for ENQUEUE_WAIT included, and why it was
	// not answered; nil if it was. It is called by many goroutines and must return at once. The wait for a wake token is none.
	RoundTrip func(took time.Duration, err error)
	// History, if set, is told of every operation before it is sent and when it is answered, in the goroutine of the caller.
	// It is for tests, see HistoryTo.
	History func(Event)
}

// Client is a handle on the queues of one Redis. It is safe for concurrent use.
type Client struct {
	address      *address
	sentinels    *sentinels // nil without Sentinel
	cluster      *cluster   // nil without a Cluster
	timeout      time.Duration
	wait         confirmation
	maxScheduled int
	waits        sync.Map               // names of queues whose server is known to know that wait
	history      func(Event)            // nil: off
	lanes        lanes                  // on which jobs go to Redis
	ask          *line                  // reads, and what anyone may call at any time
	known        sync.Map               // names of queues that are in punctual:queues, and in which this client may do its work
	mayChange    sync.Map               // names of queues in which Redis permits this client all that scripts do
	asked        atomic.Pointer[string] // the queue whose permissions were asked for last

	roundTrip func(took time.Duration, err error) // nil: off
}

// Open makes a client for the Redis at url:
//
//	redis://[user:password@]host[:port][/database]
//	redis+sentinel://[user:password@]host[:port][,host[:port]...]/master-name[/database]
//	redis+cluster://[user:password@]host[:port][,host[:port]...]
//
// and the same with rediss for TLS, where ?ca=, cert= and key= name PEM files; sentinel_username= and sentinel_password= are
// for the sentinels themselves. Open does not need Redis to be there: it waits for it 1 s at most, and every call connects
// again when it has to. What it refuses: a URL that cannot be read, and data of a newer layout (ErrLayout).
func Open(ctx context.Context, rawURL string, o Options) (*Client, error) {
	a, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = 3 * time.Second
	}
	if o.TLS != nil {
		a.opts.TLSConfig = o.TLS
	}
	c := &Client{address: a, timeout: o.Timeout, wait: confirmation(max(o.EnqueueWait, WaitAOF)), roundTrip: o.RoundTrip, history: o.History,
		maxScheduled: max(0, o.MaxScheduled)}
	switch a.topology {
	case sentinel:
		c.sentinels = newSentinels(a)
	case onCluster:
		c.cluster = newCluster(a)
	}
	c.ask = c.newLine(4, c.timeout)
	if c.lanes.client = c; c.cluster == nil {
		c.lanes.only = c.newPair()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := c.checkLayout(ctx); errors.Is(err, ErrLayout) {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// checkLayout looks at the layout version of every known queue.
func (c *Client) checkLayout(ctx context.Context) error {
	queues, err := c.Queues(ctx)
	if err != nil {
		return err
	}
	for _, q := range queues {
		v, err := c.layout(ctx, q)
		if err != nil && !errors.Is(err, redis.Nil) {
			return classify(err, true)
		}
		if n, numErr := strconv.Atoi(v); err == nil && (numErr != nil || n > LayoutVersion) {
			return layoutError(q, v)
		}
	}
	return nil
}

func (c *Client) layout(ctx context.Context, queue string) (string, error) {
	key := keysOf(queue).meta()
	cmd := redis.NewStringCmd(ctx, "HGET", key, "layout")
	c.ask.do(ctx, key, cmd)
	return cmd.Result()
}

func layoutError(queue, version string) error {
	return fmt.Errorf("%w (queue %s has layout %s, this binary knows up to %d)", ErrLayout, queue, version, LayoutVersion)
}

// Queues returns the names of all queues that were ever used, in no order: those that Redis knows, and those that this
// client has used, for a Redis that lost its data has lost their names, too.
func (c *Client) Queues(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := redis.NewStringSliceCmd(ctx, "SMEMBERS", keyQueues)
	c.ask.do(ctx, keyQueues, cmd)
	queues, err := cmd.Result()
	if err != nil {
		return nil, classify(err, false) // reads only
	}
	c.known.Range(func(name, _ any) bool {
		if !slices.Contains(queues, name.(string)) {
			queues = append(queues, name.(string))
		}
		return true
	})
	return queues, nil
}

// remember makes sure, before the first job or heartbeat of a queue, that Redis permits what is needed there, and makes the
// queue known to Queues. It fails where Redis cannot be reached or does not permit it (errNotPermitted); one that answers no
// for another reason (it is full, say) is left to refuse the job itself.
func (c *Client) remember(ctx context.Context, queue, worker string, needs []need) error {
	if _, ok := c.known.Load(queue); ok {
		return nil
	}
	if err := c.permitted(ctx, queue, worker, needs); err != nil {
		return err
	}
	cmd := redis.NewIntCmd(ctx, "SADD", keyQueues, queue)
	c.ask.do(ctx, keyQueues, cmd)
	err := cmd.Err()
	var answer redis.Error
	switch {
	case err == nil:
		c.known.Store(queue, true)
	case !errors.As(err, &answer), strings.HasPrefix(answer.Error(), "NOPERM"):
		return classify(err, false)
	}
	return nil
}

// Close ends all connections. What is under way is cut off, with an unknown outcome.
func (c *Client) Close() error {
	return errors.Join(c.ask.Close(), c.lanes.close())
}

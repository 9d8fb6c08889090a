package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

var getScript = loadScript("get")

// Info is a job as it is now.
type Info struct {
	Job
	State    State
	Due      time.Time // when it is due; of a dead job, when it died; of a done one, when it may be forgotten; zero while processing
	Attempts int       // begun so far
	Failures []Failure // the last 5, newest first

	Worker    string    // while processing: who runs it
	Finished  time.Time // when it was done or died; zero before
	Cancelled bool      // while processing: its cancellation was asked for
}

// Get returns the job with this id, or ErrNotFound. A job whose record is no JSON is an error that says so.
func (c *Client) Get(ctx context.Context, queue, id string) (Info, error) {
	if !isQueueName(queue) {
		return Info{}, errQueueName
	}
	words, worker, err := c.find(ctx, keysOf(queue), id)
	if err != nil {
		return Info{}, err
	}
	info, err := infoOf(queue, id, State(words[0]), words[1], words[2], words[4])
	info.failed(words[3])
	info.Worker, info.Cancelled = worker, words[5] == "1"
	return info, err
}

// find asks for one job, and for one that is processed once more, with the lists of all workers: who has it. The registry may
// change in between, and then it looks again.
func (c *Client) find(ctx context.Context, k keys, id string) (words []string, worker string, err error) {
	var workers []string
	for range 20 {
		if words, err = c.look(ctx, getCall(k, id, workers)); err != nil {
			return nil, "", err
		}
		if len(words) != 7 {
			return nil, "", ErrNotFound
		}
		if words[6] != "again" {
			if n := int(millis(words[6])); 0 < n && n <= len(workers) {
				worker = workers[n-1]
			}
			return words, worker, nil
		}
		if workers, err = c.registry(ctx, k); err != nil {
			return nil, "", err
		}
	}
	return words, "", nil // workers come and go too fast to say who
}

func getCall(k keys, id string, workers []string) *call {
	x := &call{script: getScript, args: []any{id}, keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.attempts(), k.errors(),
		k.cancelled(), k.workers()}}
	for _, w := range workers {
		x.keys = append(x.keys, k.processing(w))
		x.args = append(x.args, w)
	}
	return x
}

// registry returns the ids of all registered workers, sorted.
func (c *Client) registry(ctx context.Context, k keys) (all []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	const bite = 1000
	for from := 0; ; from += bite {
		cmd := redis.NewStringSliceCmd(ctx, "ZRANGE", k.workers(), from, from+bite-1)
		c.ask.do(ctx, k.workers(), cmd)
		some, err := cmd.Result()
		if err != nil {
			return nil, classify(err, false) // reads only
		}
		if all = append(all, some...); len(some) < bite {
			slices.Sort(all)
			return slices.Compact(all), nil
		}
	}
}

// infoOf makes an Info of what scripts tell; score is that of the set of its state, "" while processing.
func infoOf(queue, id string, state State, text, attempts, score string) (Info, error) {
	job, err := decodeJob(queue, id, text)
	info := Info{Job: job, State: state, Attempts: int(millis(attempts))}
	if score == "" {
		return info, err
	}
	info.Due = time.UnixMilli(millis(score))
	switch info.State {
	case Dead:
		info.Finished = info.Due
	case Done:
		info.Finished = info.Due.Add(-info.Retention)
	}
	return info, err
}

// failed reads the failures; what cannot be read is left out.
func (i *Info) failed(text string) {
	if text != "" {
		_ = json.Unmarshal([]byte(text), &i.Failures)
	}
}

// look runs a script that reads only: its outcome is never unknown.
func (c *Client) look(ctx context.Context, x *call) ([]string, error) {
	words, err := c.askOne(ctx, x)
	if errors.Is(err, ErrOutcomeUnknown) {
		x.sent = false
		_, err = x.words()
	}
	return words, err
}

// askOne runs one script on the line that anyone may use.
func (c *Client) askOne(ctx context.Context, x *call) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	c.ask.run(ctx, x)
	words, err := x.words()
	if err == nil && len(words) == 0 && x.script.name != getScript.name {
		err = errors.Join(ErrUnavailable, errors.New("script "+x.script.name+" answered nothing"))
	}
	return words, err
}

// Held returns the jobs behind elements of the own list that memory knows nothing of: a claim took them and its reply was
// lost. An element whose record or attempt is gone comes back as Corrupt.
func (l *Link) Held(ctx context.Context, elements []string) ([]Claimed, error) {
	if len(elements) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.client.timeout)
	defer cancel()
	ids := make([]string, len(elements))
	for i, e := range elements {
		_, ids[i] = splitElement(e)
	}
	now := redis.NewTimeCmd(ctx, "TIME")
	records := redis.NewSliceCmd(ctx, fields("HMGET", l.keys.jobs(), ids)...)
	attempts := redis.NewSliceCmd(ctx, fields("HMGET", l.keys.attempts(), ids)...)
	l.bulk.do(ctx, l.keys.jobs(), now, records, attempts)
	for _, cmd := range []redis.Cmder{now, records, attempts} {
		if err := cmd.Err(); err != nil {
			return nil, classify(err, false) // reads only
		}
	}
	if len(records.Val()) != len(ids) || len(attempts.Val()) != len(ids) {
		return nil, fmt.Errorf("%w: it answers %d records and %d attempts for %d ids", ErrUnavailable, len(records.Val()), len(attempts.Val()), len(ids))
	}
	claimed := make([]Claimed, len(elements))
	for i, e := range elements {
		record, there := records.Val()[i].(string)
		attempt, _ := attempts.Val()[i].(string)
		job, corrupt := decodeJob(l.queue, ids[i], record)
		if !there {
			corrupt = fmt.Errorf("record of job %s is missing", ids[i])
		}
		claimed[i] = Claimed{Element: e, Job: job, Attempt: max(1, int(millis(attempt))), Due: now.Val(), At: now.Val(), Corrupt: corrupt}
	}
	return claimed, nil
}

func fields(command, key string, names []string) []any {
	args := append(make([]any, 0, 2+len(names)), command, key)
	for _, name := range names {
		args = append(args, name)
	}
	return args
}

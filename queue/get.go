package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		return Info{}, &InvalidError{"queue", "must match [a-z0-9_-]{1,64}"}
	}
	k := keysOf(queue)
	words, err := c.askOne(ctx, &call{script: getScript, args: []any{id},
		keys: []string{k.jobs(), k.scheduled(), k.dead(), k.attempts(), k.errors(), k.done()}})
	if err != nil {
		return Info{}, err
	}
	if len(words) < 5 {
		return Info{}, ErrNotFound
	}
	job, err := decodeJob(queue, id, words[1])
	info := Info{Job: job, State: State(words[0]), Attempts: int(millis(words[2]))}
	if words[3] != "" {
		_ = json.Unmarshal([]byte(words[3]), &info.Failures) // what cannot be read is left out
	}
	if words[4] != "" {
		info.Due = time.UnixMilli(millis(words[4]))
	}
	switch info.State {
	case Dead:
		info.Finished = info.Due
	case Done:
		info.Finished = info.Due.Add(-info.Retention)
	}
	return info, err
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

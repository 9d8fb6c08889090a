package api

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/punctualq/punctual/queue"
)

// Bounds of a query.
const (
	maxQuery  = 4 << 10 // bytes as sent
	maxCursor = 1 << 10
	maxLimit  = 1000 // jobs of one page
)

// readQuery takes a query whose parameters must all be among the names, each once and with a value.
func readQuery(raw string, names []string) (map[string]string, error) {
	if len(raw) > maxQuery {
		return nil, refuse(errQuery, fmt.Sprintf("the query is too long: at most %d bytes", maxQuery))
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse(errQuery, "the query cannot be read: separate parameters by &, and percent-encode their values")
	}
	query := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		given := values[name]
		switch {
		case !slices.Contains(names, name):
			return nil, refuse(errQuery, unknownParameter(name, names))
		case len(given) > 1:
			return nil, refuse(errQuery, fmt.Sprintf("the parameter %s stands %d times: send it once", name, len(given)))
		case given[0] == "":
			return nil, refuse(errQuery, fmt.Sprintf("the parameter %s is empty: give it a value, or leave it out", name))
		}
		query[name] = given[0]
	}
	return query, nil
}

func unknownParameter(name string, names []string) string {
	detail := fmt.Sprintf("there is no parameter %q: ", cut(strings.ToValidUTF8(name, "?"), 64))
	if len(names) == 0 {
		return detail + "this route has none"
	}
	return detail + "the parameters are " + strings.Join(names, ", ")
}

// queueName returns the queue that the query names, which the caller must be allowed to see.
func (c *call) queueName() (string, error) {
	name := cmp.Or(c.query["queue"], queue.DefaultQueue)
	if !isQueueName(name) {
		return "", refuse(errQuery, "queue must match [a-z0-9_-]{1,64}")
	}
	return name, c.permit(name)
}

// listing returns what the query of a listing asks for.
func (c *call) listing() (queue.Listing, error) {
	l := queue.Listing{State: queue.State(c.query["state"]), Type: c.query["type"], Cursor: c.query["cursor"]}
	switch l.State {
	case "":
		l.State = queue.Scheduled
	case queue.Scheduled, queue.Processing, queue.Dead, queue.Done:
	default:
		return l, refuse(errQuery, "state must be scheduled, processing, dead or done")
	}
	if l.Type != "" && (queue.NewJob{ID: "x", Type: l.Type}).Validate() != nil {
		return l, refuse(errQuery, "type must match [a-z0-9._-]{1,64}")
	}
	if limit := c.query["limit"]; limit != "" {
		n, err := strconv.ParseUint(limit, 10, 16)
		if err != nil || n < 1 || n > maxLimit {
			return l, refuse(errQuery, fmt.Sprintf("limit must be between 1 and %d", maxLimit))
		}
		l.Limit = int(n)
	}
	if len(l.Cursor) > maxCursor {
		return l, queue.ErrCursor
	}
	return l, nil
}

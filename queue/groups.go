package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

var groupsScript = loadScript("groups")

// DeadGroup are the dead jobs of one type that died of one kind of error: texts that differ only in numbers and ids are one kind.
type DeadGroup struct {
	ID    string // names it in Listing.Group and Filter.Group
	Type  string
	Error string // what the texts have in common, with # for what differs
	Jobs  int
	First time.Time // when the first of them died, by the clock of Redis, since the group was last empty
	Last  time.Time // when the latest died
}

// DeadGroups returns the groups of the dead of one queue, the biggest first, and how many dead jobs are in none: they died before
// groups were counted, or there were too many kinds.
func (c *Client) DeadGroups(ctx context.Context, queue string) (groups []DeadGroup, others int, err error) {
	if !isQueueName(queue) {
		return nil, 0, errQueueName
	}
	words, err := c.look(ctx, groupsCall(keysOf(queue)))
	if err != nil {
		return nil, 0, err
	}
	dead, kept, err := groupsOf(words)
	if err != nil {
		return nil, 0, err
	}
	for id, text := range kept {
		if g, ok := readGroup(id, text); ok {
			groups, dead = append(groups, g), dead-g.Jobs
		}
	}
	slices.SortFunc(groups, func(a, b DeadGroup) int {
		return cmp.Or(cmp.Compare(b.Jobs, a.Jobs), b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID))
	})
	return groups, max(0, dead), nil
}

func groupsCall(k keys) *call {
	return &call{script: groupsScript, keys: []string{k.groups(), k.dead()}}
}

// groupsOf reads the reply of the script: how many are dead, and of each group its id and what is kept of it.
func groupsOf(words []string) (dead int, kept map[string]string, err error) {
	if len(words) < 2 || len(words)%2 != 0 || words[0] != "ok" {
		return 0, nil, fmt.Errorf("%w: script groups answered %d words", ErrUnavailable, len(words))
	}
	kept = map[string]string{}
	for i := 2; i < len(words); i += 2 {
		kept[words[i]] = words[i+1]
	}
	return int(millis(words[1])), kept, nil
}

// readGroup reads what scripts have written; ok is false for anything else.
func readGroup(id, text string) (g DeadGroup, ok bool) {
	var read struct {
		Type, Error       *string
		Jobs, First, Last *int64
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil || read.Type == nil || read.Error == nil || read.Jobs == nil ||
		read.First == nil || read.Last == nil || *read.Jobs < 1 || *read.Jobs > farthest || !isGroup(id) {
		return g, false
	}
	return DeadGroup{id, *read.Type, *read.Error, int(*read.Jobs), time.UnixMilli(*read.First), time.UnixMilli(*read.Last)}, true
}

// isGroup says whether it is the ID of a group, which is 16 hex digits.
func isGroup(id string) bool {
	return len(id) == 16 && !slices.ContainsFunc([]byte(id), func(b byte) bool { return (b < '0' || b > '9') && (b < 'a' || b > 'f') })
}

// checkGroup refuses a group that is none, and one of jobs that are not dead.
func checkGroup(group string, state State) error {
	switch {
	case group == "":
		return nil
	case state != Dead:
		return &InvalidError{"group", "must be left out, or the state be dead: only dead jobs are in groups"}
	case !isGroup(group):
		return &InvalidError{"group", "must be 16 hex digits, the id of a group of dead jobs"}
	}
	return nil
}

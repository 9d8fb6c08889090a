package faults

import (
	"slices"
	"testing"

	"github.com/punctualq/punctual/integration/faults/history"
)

// A kill of Redis explains only what it can have rolled back: a rule of that kind, of a job that was answered for shortly before.
func TestRollBacks(t *testing.T) {
	const killed = 100_000
	window := postponedWrite.Milliseconds()
	told := func(id string, at int64) *history.Event { return &history.Event{ID: id, RedisMS: at} }
	h := history.History{Events: []*history.Event{told("late", killed), told("early", killed-window), told("after", killed+1), told("", killed), told("other", killed-1)}}
	rule := rolledBack[0]
	findings := []history.Finding{{Rule: rule, ID: "late"}, {Rule: rule, ID: "early"}, {Rule: rule, ID: "after"}, {Rule: rule}, {Rule: "another", ID: "other"},
		{Rule: rule, ID: "other", Allowed: true}}
	var ids []string
	for _, f := range rollBacks([]int64{killed}, h, findings) {
		ids = append(ids, f.ID)
	}
	if !slices.Equal(ids, []string{"late"}) {
		t.Errorf("explained: %q, want that of late alone", ids)
	}
	if explained := rollBacks(nil, h, findings); len(explained) > 0 {
		t.Errorf("without a kill %+v is explained", explained)
	}
}

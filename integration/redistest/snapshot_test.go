package redistest

import (
	"testing"
	"time"
)

func TestSnapshot(t *testing.T) {
	c := Own(t).Client()
	ctx := t.Context()
	c.Set(ctx, "same", "1", time.Hour)
	c.RPush(ctx, "list", "a", "b")
	c.Set(ctx, "ends", "1", time.Hour)
	c.Set(ctx, "gone", "1", 0)
	before := TakeSnapshot(t, c)
	if diff := before.Diff(TakeSnapshot(t, c)); diff != "" {
		t.Errorf("nothing was done, and %s", diff)
	}
	c.RPush(ctx, "list", "c")
	c.Persist(ctx, "ends")
	c.Del(ctx, "gone")
	c.Set(ctx, "more", "1", 0)
	if diff, want := before.Diff(TakeSnapshot(t, c)), "changed: ends, changed: list, gone: gone, new: more"; diff != want {
		t.Errorf("got %s, want %s", diff, want)
	}
}

package app

import (
	"context"
	"errors"
	"testing"
)

func TestTogetherEndsAllWithTheFirst(t *testing.T) {
	broken := errors.New("broken")
	ended := 0
	waits := func(ctx context.Context) error { <-ctx.Done(); ended++; return nil }
	if err := together(context.Background(), waits, func(context.Context) error { return broken }); !errors.Is(err, broken) || ended != 1 {
		t.Errorf("got %v with %d others ended, want the error of the one that broke, and 1", err, ended)
	}
	if err := together(context.Background(), waits, func(context.Context) error { return nil }); err != nil || ended != 2 {
		t.Errorf("got %v with %d others ended, want nil and 2", err, ended)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := together(ctx, waits); err != nil || ended != 3 {
		t.Errorf("got %v with %d ended, want nil and 3", err, ended)
	}
}

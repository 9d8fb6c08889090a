package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

var errRefused = silent{errors.New("nobody agreed")}

func yesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "do not ask; needed where nobody can be asked, as in a pipe")
}

// confirm asks on a terminal. Elsewhere it refuses: nobody could be asked.
func (s *session) confirm(ctx context.Context, yes bool, question string) error {
	_, terminal := columnsOf(s.in)
	switch {
	case yes:
		return nil
	case !terminal || !s.err.terminal:
		return usage("%s Nobody can be asked here: add --yes to do it. Nothing was done", question)
	}
	fmt.Fprintf(s.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be broken off
		line, _ := bufio.NewReader(s.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.err)
		return context.Canceled
	case said := <-answer:
		if said == "y" || said == "yes" {
			return nil
		}
	}
	fmt.Fprintln(s.err, "Nothing was done.")
	return errRefused
}

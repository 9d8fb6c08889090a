package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/queue"
)

// who is at this command line.
func who() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return cmp.Or(name, "unknown") + "@" + cmp.Or(host, "unknown")
}

// record writes what was done into the audit trail. That it cannot be written is a warning: it was done all the same, even if
// ctx has ended since.
func (s *session) record(ctx context.Context, queueName, verb, target string, jobs int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err := s.Record(ctx, queue.Deed{Who: who(), Via: "cli", Verb: verb, Queue: queueName, Target: target, Jobs: jobs})
	if err != nil {
		fmt.Fprintf(s.err, "warning: it is done, but not in the audit trail: %s\n", plain.Lines(err.Error()))
	}
}

package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

type keyJSON struct {
	Key  string `json:"key"`
	Type string `json:"type"`
	Size int64  `json:"size"`
	What string `json:"what"`
	Read string `json:"read"`
}

func (d *desk) keysCommand() *cobra.Command {
	var queueName string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "keys",
		Short: "List the Redis keys of a queue: what each is, and the redis-cli line to read it",
		Long: "List the Redis keys of a queue that are in use: what each is, how much is in it, and the redis-cli line to read it. Those of the same\n" +
			"kind for each worker or request stand once for all beyond --limit. --json prints one JSON object a line.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		if limit < 1 || limit > 1000 {
			return usage("--limit must be between 1 and 1000")
		}
		keys, more, err := s.KeysInUse(ctx, queueName, limit)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			if _, err := s.Overview(ctx, queueName); err != nil {
				return err
			}
		}
		for _, k := range keys {
			if asJSON {
				err = s.out.object(keyJSON{k.Key, k.Type, k.Size, k.What, redisCLI(k.Read)})
			} else {
				err = s.out.say("%s  (%s, %s)\n  %s\n  %s", k.Key, k.Type, strconv.FormatInt(k.Size, 10), k.What, redisCLI(k.Read))
			}
			if err != nil {
				return err
			}
		}
		if more {
			fmt.Fprintf(s.err, "There may be more than %d of workers or requests: raise --limit (those of requests are looked for among the first 100,000 keys of Redis).\n", limit)
		}
		return nil
	})
	d.queueFlag(c, &queueName)
	c.Flags().IntVar(&limit, "limit", 20, "how many keys of each kind that has one for each worker or request, at most 1000")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func redisCLI(command string) string { return `redis-cli -u "$REDIS_URL" ` + command }

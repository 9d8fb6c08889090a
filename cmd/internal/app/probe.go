package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// probeWait bounds one probe: whoever asks asks again.
const probeWait = 2 * time.Second

// probeCommand is for the health checks of containers that hold nothing but the programs.
func probeCommand(code *int) *cobra.Command {
	return &cobra.Command{
		Use:   "probe URL",
		Short: "Ask a process for /livez or /readyz, for the health check of a container without a shell",
		Long: "Ask a process whether it lives (/livez) or can work now (/readyz), as in: punctual probe http://127.0.0.1:8080/readyz\n" +
			"It is for the health check of a container that has no shell and no curl.\n\n" +
			"Exit status: 0 it answered 200 within 2 s, 1 it did not.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			*code = exitOK
			if err := probe(c.Context(), args[0], c.OutOrStdout()); err != nil {
				fmt.Fprintf(c.ErrOrStderr(), "punctual probe: %s\n", err)
				*code = exitFailed
			}
			return nil
		},
	}
}

// probe writes what the process says of itself.
func probe(ctx context.Context, url string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("%w: give a URL such as http://127.0.0.1:8080/readyz", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // straight there, whatever proxy is set
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if text = bytes.TrimSpace(text); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d %q", url, resp.StatusCode, text)
	}
	_, err = fmt.Fprintln(stdout, string(text))
	return err
}

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/punctualq/punctual/queue"
)

const registerPath = "/api/dm-jobqueue/register"

// registration is the body of a request, in the order in which a person would write it.
type registration struct {
	Message      string `json:"message"`
	DelaySeconds int    `json:"delay_seconds"`
	Queue        string `json:"queue,omitempty"`
}

func (d *look) body(message string, delay int) []byte {
	r := registration{Message: message, DelaySeconds: delay}
	if d.queue != queue.DefaultQueue {
		r.Queue = d.queue
	}
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and a number
	}
	return body
}

// register sends the request that a client would send, through the network, and returns the job's id.
func (d *look) register(ctx context.Context, message string, delay int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+registerPath, bytes.NewReader(d.body(message, delay)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // straight to the API, whatever proxy is set
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("register a job: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", fmt.Errorf("register a job: %w", err)
	}
	var answer struct {
		JobID string `json:"job_id"`
	}
	switch err := json.Unmarshal(text, &answer); {
	case resp.StatusCode == http.StatusServiceUnavailable:
		return "", fmt.Errorf("the Redis at %s does not take jobs: start it, or leave REDIS_URL unset to get one of your own (the API answered %s)",
			d.settings.RedisHost, bytes.TrimSpace(text))
	case resp.StatusCode != http.StatusCreated || err != nil || answer.JobID == "":
		return "", fmt.Errorf("register a job: the API answered %d %s", resp.StatusCode, bytes.TrimSpace(text))
	}
	return answer.JobID, nil
}

// curl is the same request for a shell. Nothing in it needs escaping inside single quotes.
func (d *look) curl() string {
	return fmt.Sprintf("curl -sS -w '\\n' -X POST %s%s \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Content-Type: application/json' \\\n  -d '%s'",
		d.base, registerPath, d.token, d.body("Hello from curl", 3))
}

package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/worker"
)

// DefaultMessage is what a job without a message prints.
const DefaultMessage = "Job executed successfully"

// Message is the handler of the job type message: it prints
//
//	[2026-01-02 12:34:56] Hello, World!
//
// in local time, one line a job in one write, so that lines of jobs that run at once do not mix.
type Message struct {
	Out io.Writer        // gets nothing but these lines
	Now func() time.Time // default time.Now

	mu sync.Mutex
}

// Handle prints the message of one job. What cannot be written is an error, so the job is tried again.
func (m *Message) Handle(_ context.Context, job worker.Job) error {
	text, err := messageOf(job)
	if err != nil {
		return err
	}
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	line := fmt.Sprintf("[%s] %s\n", now().Local().Format(time.DateTime), plain.Line(text))
	if _, err := io.WriteString(m.Out, line); err != nil {
		return fmt.Errorf("print the message: %w", err)
	}
	return nil
}

// messageOf reads the payload: a JSON string; or an object with the message and a payload, which is not printed; or none.
func messageOf(job worker.Job) (string, error) {
	const want = `a string, or an object with "message" (a string) and perhaps "payload"`
	if !given(job) {
		return DefaultMessage, nil
	}
	if bytes.HasPrefix(bytes.TrimSpace(job.Payload), []byte(`"`)) {
		var text string
		err := decode(job, &text, want)
		return text, err
	}
	var object struct {
		Message *string         `json:"message"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := decode(job, &object, want); err != nil {
		return "", err
	}
	if object.Message == nil {
		return "", worker.Permanent(errors.New("payload of job type message must be " + want))
	}
	return *object.Message, nil
}

package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// maxSlots bounds the jobs that one worker runs at a time of one queue.
const maxSlots = 10_000

var (
	queueName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
)

// wanted is the error of a value that may be shown. Its text follows the name of the setting.
func wanted(value, what string) error { return fmt.Errorf("is %q, but must be %s", value, what) }

func oneOf[T ~string](field *T, value string, allowed ...T) error {
	var words []string
	for _, a := range allowed {
		if value == string(a) {
			*field = a
			return nil
		}
		words = append(words, string(a))
	}
	last := len(words) - 1
	return wanted(value, strings.Join(words[:last], ", ")+" or "+words[last])
}

func yesNo(field *bool, value string) error {
	*field = value == "true"
	if value != "true" && value != "false" {
		return wanted(value, "true or false")
	}
	return nil
}

func number(field *int, value string, least, most int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return wanted(value, fmt.Sprintf("a whole number from %d to %d", least, most))
	}
	*field = n
	return nil
}

func duration(field *time.Duration, value string, least time.Duration) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < least {
		return wanted(value, fmt.Sprintf("a duration of at least %s, such as 500ms, 30s or 1h30m", least))
	}
	*field = d
	return nil
}

// address reads where to listen.
func address(field *string, value string) error {
	_, p, err := net.SplitHostPort(value)
	if err != nil || p == "" || !port(p) {
		return wanted(value, "host:port with a port from 0 to 65535, such as 127.0.0.1:8080, or :8080 for all interfaces")
	}
	*field = value
	return nil
}

// port tells whether a text is a port's number, or empty.
func port(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil || text == ""
}

// parseRedisURL never repeats any part of the URL in an error: any may be one of a password.
func parseRedisURL(s *Settings, value string) error {
	hosts, err := queue.Hosts(value)
	if err != nil {
		return fmt.Errorf("must be a Redis URL (not shown, it may hold a password): %w", err)
	}
	s.RedisURL, s.RedisHost = Secret(value), hosts
	return nil
}

func parseSecret(s *Settings, value string) error {
	if len(value) < minSecret {
		return fmt.Errorf("has %d bytes, but must have at least %d, such as the output of: openssl rand -base64 32", len(value), minSecret)
	}
	s.JWTSecret = Secret(value)
	return nil
}

// parseEnqueueWait reads 0, a number of replicas, or aof.
func parseEnqueueWait(s *Settings, value string) error {
	if value == "aof" {
		s.EnqueueWait = queue.WaitAOF
		return nil
	}
	if number(&s.EnqueueWait, value, 0, 100) != nil {
		return wanted(value, "0, a number of replicas from 1 to 100, or aof")
	}
	return nil
}

func parseCollector(s *Settings, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("must be a URL such as http://127.0.0.1:4318 (not shown, it may hold a password)")
	}
	s.collector = true
	return nil
}

// file reads the path of a file, which must not depend on where the program was started.
func file(field *string, value string) error {
	if !filepath.IsAbs(value) {
		return wanted(value, "the absolute path of a file")
	}
	*field = value
	return nil
}

// parseQueues reads critical:20,default. A queue without a number gets WORKER_CONCURRENCY, by a rule after all are read.
func parseQueues(s *Settings, value string) error {
	const what = "names of [a-z0-9_-]{1,64}, each once, with or without a number of slots, such as critical:20,default"
	seen := map[string]bool{}
	var queues []Slots
	for part := range strings.SplitSeq(value, ",") {
		name, text, numbered := strings.Cut(strings.TrimSpace(part), ":")
		q := Slots{Queue: name}
		if numbered && number(&q.Slots, text, 1, maxSlots) != nil {
			return wanted(value, fmt.Sprintf("%s (the slots of %s must be from 1 to %d)", what, name, maxSlots))
		}
		if !queueName.MatchString(name) || seen[name] {
			return wanted(value, what)
		}
		seen[name] = true
		queues = append(queues, q)
	}
	s.Queues = queues
	return nil
}

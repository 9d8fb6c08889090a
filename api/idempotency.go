package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/punctualq/punctual/queue"
)

const maxKey = 128 // characters of an idempotency key

// idempotencyKey returns the key of the header Idempotency-Key, "" if there is none. By draft-ietf-httpapi-idempotency-key-header
// it is a string in quotes (RFC 9651, 3.3.3); most clients send it without, so that is taken as well, for the same key.
func idempotencyKey(h http.Header) (string, error) {
	given := h.Values("Idempotency-Key")
	switch len(given) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", refuse(errKey, fmt.Sprintf("there are %d headers Idempotency-Key: send one", len(given)))
	}
	key, ok := unquote(given[0])
	switch {
	case !ok:
		return "", refuse(errKey, `the header Idempotency-Key must be a string such as "8e03978e-40d5-43dd-bc93-6894a57f9324", quotes included`)
	case key == "" || len(key) > maxKey:
		return "", refuse(errKey, fmt.Sprintf("the idempotency key must have 1 to %d characters", maxKey))
	}
	return key, nil
}

// unquote reads a string of a structured field, or the same without quotes if nothing in it could need them.
func unquote(s string) (string, bool) {
	inner, quoted := strings.CutPrefix(s, `"`)
	if !quoted {
		foreign := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\,;`, r) }
		return s, !strings.ContainsFunc(s, foreign)
	}
	var key strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '"':
			return key.String(), i == len(inner)-1
		case c == '\\':
			if i++; i == len(inner) || inner[i] != '"' && inner[i] != '\\' {
				return "", false
			}
			key.WriteByte(inner[i])
		case c < ' ' || c > '~':
			return "", false
		default:
			key.WriteByte(c)
		}
	}
	return "", false
}

// idempotency is the key of one job: whose it is, and of which request. The queue comes before the subject, which may be
// anything, so that no two scopes are spelled alike.
func idempotency(key, template string, c caller, job queue.NewJob, members map[string]json.RawMessage) *queue.Idempotency {
	if job.Queue == "" {
		job.Queue = queue.DefaultQueue
	}
	return &queue.Idempotency{Scope: template + " " + job.Queue + " " + c.subject, Key: key, Request: fingerprint(members)}
}

// fingerprint is the same for bodies that say the same: order of members and white space aside.
func fingerprint(members map[string]json.RawMessage) string {
	said := make(map[string]any, len(members))
	for name, raw := range members {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber() // every digit counts
		var value any
		if dec.Decode(&value) != nil {
			value = string(raw) // it was parsed before, so this cannot be
		}
		said[name] = value
	}
	canonical, err := json.Marshal(said) // sorts
	if err != nil {
		panic(err) // it came from JSON
	}
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

package queue

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// cursor is a position, and what tells that it is one of this listing: people are to pass it on, not to read it.
type cursor struct {
	State  State  `json:"state"`
	Worker []byte `json:"worker,omitempty"` // bytes: another hand may have written what is no text
	Score  string `json:"score"`
	ID     []byte `json:"id"`
	Sum    string `json:"sum"` // of the rest, of the queue and of what is listed
}

// mostCursor is the length of a cursor: ids of this package are short.
const mostCursor = 16 << 10

// cursor is the cursor of the page that begins behind a position.
func (l Listing) cursor(queue string, at position) string {
	b, err := json.Marshal(cursor{State: l.State, Worker: []byte(at.worker), Score: at.score, ID: []byte(at.id), Sum: l.sum(queue, at)})
	if err != nil { // text and bytes always marshal
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sum tells listings and positions apart. It is no signature: whoever makes one up sees the same listing from another place.
func (l Listing) sum(queue string, at position) string {
	var all strings.Builder
	words := []string{queue, string(l.State), l.Type, l.Subject, l.Text, strconv.FormatBool(l.Newest), at.worker, at.score, at.id}
	if l.Group != "" { // the others have been given out without
		words = append(words, l.Group)
	}
	for _, word := range words {
		fmt.Fprintf(&all, "%d:%s", len(word), word)
	}
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:8])
}

// position reads the cursor. What List has not given out for this listing is ErrCursor.
func (l Listing) position(queue string) (position, error) {
	if l.Cursor == "" {
		return position{}, nil
	}
	if len(l.Cursor) > mostCursor {
		return position{}, ErrCursor
	}
	text, err := base64.RawURLEncoding.DecodeString(l.Cursor)
	if err != nil {
		return position{}, ErrCursor
	}
	var read cursor
	if err := json.Unmarshal(text, &read); err != nil {
		return position{}, ErrCursor
	}
	at := position{string(read.Worker), read.Score, string(read.ID)}
	n, err := strconv.ParseFloat(at.score, 64)
	if err != nil || n != n || read.Sum != l.sum(queue, at) || l.Cursor != l.cursor(queue, at) { // it is spelled in one way only
		return position{}, ErrCursor
	}
	return at, nil
}

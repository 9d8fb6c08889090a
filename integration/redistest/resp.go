package redistest

import (
	"bytes"
	"errors"
	"strconv"
)

var errNotRESP = errors.New("not RESP")

// respLen is the length of the first complete RESP value (RESP2 or RESP3) in b, 0 if more
// bytes are needed. A RESP3 attribute belongs to the value that it precedes. A line that
// begins like no RESP type counts as an inline command.
func respLen(b []byte) (int, error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, nil
	}
	line := end + 1
	switch b[0] {
	case '$', '!', '=':
		n, err := strconv.Atoi(string(bytes.TrimSpace(b[1:end])))
		if err != nil || n < -1 {
			return 0, errNotRESP
		}
		if n == -1 {
			return line, nil
		}
		if len(b) < line+n+2 {
			return 0, nil
		}
		return line + n + 2, nil
	case '*', '~', '>', '%', '|':
		n, err := strconv.Atoi(string(bytes.TrimSpace(b[1:end])))
		if err != nil || n < -1 {
			return 0, errNotRESP
		}
		switch b[0] {
		case '%':
			n *= 2
		case '|':
			n = 2*n + 1
		}
		return respItems(b, line, n)
	}
	return line, nil
}

// respItems is the end of n values that begin at from, 0 if more bytes are needed.
func respItems(b []byte, from, n int) (int, error) {
	for range n {
		if from == len(b) {
			return 0, nil
		}
		size, err := respLen(b[from:])
		if size == 0 || err != nil {
			return 0, err
		}
		from += size
	}
	return from, nil
}

// respSplit cuts the complete values off the front of b.
func respSplit(b []byte) (values [][]byte, rest []byte, err error) {
	for len(b) > 0 {
		n, err := respLen(b)
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			break
		}
		values, b = append(values, b[:n]), b[n:]
	}
	return values, b, nil
}

package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxBody holds a message and a payload of 64 KiB each, nearly; what fits none of them is not read to its end.
	maxBody = 128 << 10
	// maxBulkBody is for many jobs at once.
	maxBulkBody = 4 << 20
	// maxNesting is how deep a payload may be nested. Many JSON readers, Redis' own among them, give up not far beyond.
	maxNesting = 1000
	// parserNesting is where encoding/json gives up.
	parserNesting = 10_000
)

// readBody reads a JSON body of at most some bytes. What it cannot take is a refusal that says what to send instead.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if (err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter)) || mediaType != "application/json" {
		return nil, refuse(errMediaType, "send the body as JSON, with the header Content-Type: application/json")
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, refuse(errMediaType, "send the body uncompressed, without the header Content-Encoding")
	}
	big := fmt.Sprintf("send at most %d bytes; keep big data elsewhere and put a reference to it into the job", most)
	if r.ContentLength > most {
		return nil, refuse(errTooLarge, big)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, refuse(errTooLarge, big)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlow
	default:
		return nil, refuse(errMalformed, "the body broke off before its end: send it again")
	}
}

// readObject reads a body that must be a JSON object of these members. A member that is null counts as absent.
func (c *call) readObject(names ...string) (*form, error) {
	body, err := readBody(c.w, c.r, maxBody)
	if err != nil {
		return nil, err
	}
	members, err := parseObject(body, names)
	return &form{members: members, names: names, maxDelay: c.gate.maxDelay}, err
}

// parseObject is parseMembers, and a member that is null counts as absent.
func parseObject(body []byte, names []string) (map[string]json.RawMessage, error) {
	members, err := parseMembers(body, names)
	maps.DeleteFunc(members, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	return members, err
}

// parseMembers takes apart a JSON object whose members must all be among the names, in this very spelling and each once.
// encoding/json alone is too lenient: it takes "Message" for "message", the last of two members of one name, and anything
// after the object.
func parseMembers(body []byte, names []string) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, refuse(errMalformed, "the body is empty: send a JSON object, {} for all defaults")
	}
	if !utf8.Valid(body) {
		return nil, refuse(errMalformed, "the body is not valid UTF-8: encode it as UTF-8")
	}
	if field, deep := tooDeep(body, parserNesting); deep && slices.Contains(names, field) {
		return nil, &invalidJob{[]fieldError{{"/" + field, nestingDetail}}}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	broken := func(err error) error {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return refuse(errMalformed, "the JSON ends too early: close every string, array and object")
		}
		return refuse(errMalformed, fmt.Sprintf("the body is not JSON (near byte %d): %v", dec.InputOffset(), err))
	}
	if start, err := dec.Token(); err != nil {
		return nil, broken(err)
	} else if start != json.Delim('{') {
		return nil, refuse(errMalformed, "the body must be a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, broken(err)
		}
		name, _ := token.(string) // the decoder takes nothing else for a name
		if !slices.Contains(names, name) {
			return nil, unknownField(name, names)
		}
		if _, twice := members[name]; twice {
			return nil, refuse(errDuplicate, fmt.Sprintf("the field %q stands twice: send it once", name))
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, broken(err)
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, broken(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(errMalformed, "there is something after the JSON object: send one object and nothing else")
	}
	return members, nil
}

// unknownField names the field, cut to a sane length, and those that are known.
func unknownField(name string, names []string) error {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	detail := fmt.Sprintf("there is no field %q: the fields are %s", name, strings.Join(names, ", "))
	if i := slices.IndexFunc(names, func(known string) bool { return strings.EqualFold(known, name) }); i >= 0 {
		detail = fmt.Sprintf("there is no field %q: write %q", name, names[i])
	}
	return refuse(errUnknownField, detail)
}

var nestingDetail = fmt.Sprintf("must not be nested deeper than %d levels", maxNesting)

// tooDeep tells whether JSON is nested deeper than some levels, and in which member of the outermost object. It looks at
// strings and brackets only, so it can be asked about anything.
func tooDeep(text []byte, levels int) (member string, deep bool) {
	depth, inString, start := 0, false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			if inString = !inString; inString {
				start = i + 1
			} else if depth == 1 {
				member = string(text[start:i])
			}
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > levels {
				return member, true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return "", false
}

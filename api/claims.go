package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// claims are those of a token that this API reads, each in its exact spelling and once (RFC 7519, 4), where encoding/json alone
// takes EXP for exp and the last of two. A claim of another type than the standard gives it makes the token malformed.
type claims struct {
	jwt.RegisteredClaims
	caller caller
}

var errClaimType = errors.New("a claim is of the wrong type")

func (c *claims) UnmarshalJSON(b []byte) error {
	members, err := uniqueMembers(b)
	if err != nil {
		return err
	}
	for name, into := range map[string]any{"iss": &c.Issuer, "sub": &c.Subject, "aud": &c.Audience,
		"exp": &c.ExpiresAt, "nbf": &c.NotBefore, "iat": &c.IssuedAt} {
		raw, ok := members[name]
		if !ok {
			continue
		}
		if isTime := name == "exp" || name == "nbf" || name == "iat"; isTime && bytes.HasPrefix(raw, []byte(`"`)) {
			return errClaimType // a NumericDate is a number (RFC 7519, 2); the library takes one in quotes as well
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return err
		}
	}
	return c.readCaller(members)
}

// readCaller reads what the token allows. null is no value here: it must not stand for everything.
func (c *claims) readCaller(members map[string]json.RawMessage) error {
	c.caller = caller{subject: c.Subject}
	if raw, ok := members["scope"]; ok {
		var scope *string
		if json.Unmarshal(raw, &scope) != nil || scope == nil {
			return errClaimType
		}
		c.caller.scoped, c.caller.scopes = true, strings.Fields(*scope)
	}
	if raw, ok := members["queues"]; ok {
		var queues *[]*string
		if json.Unmarshal(raw, &queues) != nil || queues == nil {
			return errClaimType
		}
		c.caller.limited = true
		for _, q := range *queues {
			if q == nil {
				return errClaimType
			}
			c.caller.queues = append(c.caller.queues, *q)
		}
	}
	return nil
}

// uniqueMembers takes apart a JSON object that has no two members of one name.
func uniqueMembers(b []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8") // the decoder would put a replacement character into a name
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder takes nothing else for a name
		if _, twice := members[name]; twice {
			return nil, errors.New("a member stands twice")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, err
	}
	return members, nil
}

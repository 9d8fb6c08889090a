package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// checkHeader refuses a token whose header asks for what this API does not do, before anything else is done with it: extensions
// that must be understood (crit: RFC 7515, 4.1.11), compression (zip), a token within the token (cty), and a typ that says that
// it is a token for something else (RFC 8725, 3.11 and 3.12). What only brings a key along (jwk, jku, x5c, x5u) is not looked at.
func checkHeader(token string) error {
	encoded, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return errors.New("token is malformed")
	}
	header, err := uniqueMembers(text)
	if err != nil {
		return errors.New("token is malformed")
	}
	for _, name := range []string{"crit", "zip", "cty", "enc", "b64"} {
		if _, ok := header[name]; ok {
			return errors.New("token uses " + name + ", which is not supported")
		}
	}
	var kid string
	if raw, ok := header["kid"]; ok && json.Unmarshal(raw, &kid) != nil {
		return errors.New("token is malformed")
	}
	raw, ok := header["typ"]
	if !ok {
		return nil
	}
	var typ string
	if json.Unmarshal(raw, &typ) != nil {
		return errors.New("token is malformed")
	}
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "jwt", "at+jwt": // RFC 7519, 5.1 and RFC 9068, 2.1
		return nil
	}
	return errors.New("token is of another type")
}

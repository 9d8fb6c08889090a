package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"net/http"
	"strings"
	"testing"
	"time"
)

func signed(newHash func() hash.Hash, text string) string {
	mac := hmac.New(newHash, testSecret)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func newTestVerifier(f *testing.F) *verifier {
	f.Helper()
	v, err := newVerifier(Config{Secret: testSecret})
	if err != nil {
		f.Fatal(err)
	}
	return v
}

// FuzzAuthorization: no header is taken that has no signature made with the secret, whatever else it says, and what is refused
// is not repeated.
func FuzzAuthorization(f *testing.F) {
	v := newTestVerifier(f)
	good, err := NewToken(testSecret, TokenClaims{Subject: "x", Lifetime: 1000 * time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	for _, given := range []string{"", "Bearer", "Bearer ", "bearer  " + good, good, "Basic " + good, "Bearer " + good + "=", "Bearer " + good[:len(good)-1],
		"Bearer ..", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTk5fQ.", "Bearer " + good + "." + good, "Bearer \x00", "Bearer " + strings.Repeat(".", 999)} {
		f.Add(given)
	}
	f.Fuzz(func(t *testing.T, given string) {
		_, err := v.caller(http.Header{"Authorization": {given}})
		body, signature := given, ""
		if i := strings.LastIndexByte(given, '.'); i >= 0 {
			body, signature = given[:i], given[i+1:]
		}
		_, body, _ = strings.Cut(body, " ")
		if err == nil && signature != signed(sha256.New, strings.TrimLeft(body, " ")) {
			t.Errorf("%q is taken", given)
		}
		if err != nil && len(given) > 20 && strings.Contains(err.Error(), given) {
			t.Errorf("the error repeats the token: %s", err)
		}
	})
}

// FuzzToken: of tokens that were signed with the secret only those are taken whose header says HS256 and asks for nothing
// else, and whose claims have a number as exp, which lies ahead.
func FuzzToken(f *testing.F) {
	v := newTestVerifier(f)
	const head, claims = `{"alg":"HS256","typ":"JWT"}`, `{"exp":99999999999}`
	for _, h := range []string{head, `{"alg":"none"}`, `{"alg":"None"}`, `{"alg":"HS512"}`, `{"alg":"RS256"}`, `{"ALG":"HS256"}`, `{"alg":["HS256"]}`, `{"alg":"HS256","alg":"none"}`,
		`{"alg":"none","alg":"HS256"}`, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"alg":"HS256","crit":null}`, `{"alg":"HS256","jwk":{},"kid":"../x"}`, `{}`, `null`, `[]`, ``} {
		f.Add(h, claims, byte(0))
		f.Add(h, claims, byte(1))
	}
	for _, c := range []string{`{}`, `null`, `[]`, `{"exp":"99999999999"}`, `{"exp":1}`, `{"exp":1e999}`, `{"exp":-1}`, `{"exp":null}`, `{"exp":true}`, `{"exp":[99999999999]}`,
		`{"exp":{}}`, `{"EXP":99999999999}`, `{"exp":1,"exp":99999999999}`, `{"exp":99999999999,"exp":1}`, `{"exp":99999999999,"nbf":99999999998}`, `{"exp":99999999999,"iat":"0"}`,
		`{"exp":99999999999,"sub":1}`, `{"exp":99999999999,"sub":"\ud800"}`, `{"exp":99999999999,"aud":[1]}`, `{"exp":9.9e10,"aud":{}}`, `{"exp":99999999999}{}`, ` {"exp":99999999999} `} {
		f.Add(head, c, byte(0))
	}
	f.Add(head, claims, byte(2))
	f.Fuzz(func(t *testing.T, head, claims string, by byte) {
		b64 := base64.RawURLEncoding.EncodeToString
		body := b64([]byte(head)) + "." + b64([]byte(claims))
		signature := signed(sha256.New, body)
		switch by % 3 {
		case 1:
			signature = signed(sha512.New, body)
		case 2:
			signature = ""
		}
		if _, err := v.caller(http.Header{"Authorization": {"Bearer " + body + "." + signature}}); err != nil {
			return
		}
		var h map[string]any
		if err := json.Unmarshal([]byte(head), &h); err != nil || h["alg"] != "HS256" || by%3 != 0 {
			t.Errorf("taken with the header %q, signed in the way %d", head, by%3)
		}
		if _, ok := h["crit"]; ok {
			t.Errorf("taken with crit: %q", head)
		}
		var c map[string]any
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Errorf("taken with claims that are no object: %q", claims)
		}
		ahead := false
		for name, value := range c { // the library reads EXP as exp, too
			at, ok := value.(float64)
			ahead = ahead || ok && strings.EqualFold(name, "exp") && at > float64(time.Now().Unix())-leeway.Seconds()-1
		}
		if !ahead {
			t.Errorf("taken with claims that have no exp ahead: %q", claims)
		}
	})
}

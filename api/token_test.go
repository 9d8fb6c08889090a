package api

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
)

// sign makes a token of claims that are good but for the changes; a nil takes a claim out.
func sign(t *testing.T, method jwt.SigningMethod, key any, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "tester", "iss": "me", "aud": "jobs", "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokens(t *testing.T) {
	hs256 := func(changes jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, testSecret, changes) }
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	at := func(seconds int) int64 { return time.Now().Unix() + int64(seconds) }
	good := hs256(nil)
	part := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	none := b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + part[1] + "."

	accepted := map[string]string{
		"good":                     "Bearer " + good,
		"scheme in capitals":       "BEARER " + good,
		"scheme in small letters":  "bearer  " + good,
		"expired within leeway":    "Bearer " + hs256(jwt.MapClaims{"exp": at(-20)}),
		"nbf within leeway":        "Bearer " + hs256(jwt.MapClaims{"nbf": at(20)}),
		"iat within leeway":        "Bearer " + hs256(jwt.MapClaims{"iat": at(20)}),
		"one of several audiences": "Bearer " + hs256(jwt.MapClaims{"aud": []string{"others", "jobs"}}),
		"no subject":               "Bearer " + hs256(jwt.MapClaims{"sub": nil}),
	}
	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": at(60)})
	critical.Header["crit"] = []string{"foo"}
	crit, err := critical.SignedString(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{
		"exp in quotes":          "Bearer " + hs256(jwt.MapClaims{"exp": strconv.FormatInt(at(60), 10)}),
		"an unknown extension":   "Bearer " + crit,
		"no header":              "",
		"no scheme":              good,
		"scheme alone":           "Bearer",
		"empty token":            "Bearer ",
		"another scheme":         "Basic " + good,
		"garbage":                "Bearer garbage",
		"two parts":              "Bearer " + part[0] + "." + part[1],
		"alg none":               "Bearer " + none,
		"alg None, signed":       "Bearer " + b64([]byte(`{"alg":"None"}`)) + "." + part[1] + "." + part[2],
		"HS512":                  "Bearer " + sign(t, jwt.SigningMethodHS512, testSecret, nil),
		"HS384":                  "Bearer " + sign(t, jwt.SigningMethodHS384, testSecret, nil),
		"RS256":                  "Bearer " + sign(t, jwt.SigningMethodRS256, rsaKey, nil),
		"another secret":         "Bearer " + sign(t, jwt.SigningMethodHS256, []byte("another secret of 32 bytes or more"), nil),
		"empty secret":           "Bearer " + sign(t, jwt.SigningMethodHS256, []byte{}, nil),
		"claims changed":         "Bearer " + part[0] + "." + b64([]byte(`{"exp":99999999999,"iss":"me","aud":"jobs"}`)) + "." + part[2],
		"signature respelled":    "Bearer " + respell(good),
		"signature cut":          "Bearer " + good[:len(good)-1],
		"blank after it":         "Bearer " + good + " ",
		"expired":                "Bearer " + hs256(jwt.MapClaims{"exp": at(-40)}),
		"no exp":                 "Bearer " + hs256(jwt.MapClaims{"exp": nil}),
		"exp is a string":        "Bearer " + hs256(jwt.MapClaims{"exp": "tomorrow"}),
		"not valid yet":          "Bearer " + hs256(jwt.MapClaims{"nbf": at(40)}),
		"issued in the future":   "Bearer " + hs256(jwt.MapClaims{"iat": at(40)}),
		"another issuer":         "Bearer " + hs256(jwt.MapClaims{"iss": "you"}),
		"no issuer":              "Bearer " + hs256(jwt.MapClaims{"iss": nil}),
		"another audience":       "Bearer " + hs256(jwt.MapClaims{"aud": "others"}),
		"no audience":            "Bearer " + hs256(jwt.MapClaims{"aud": nil}),
		"claims are an array":    "Bearer " + part[0] + "." + b64([]byte(`[]`)) + "." + part[2],
		"a token twice, a comma": "Bearer " + good + ", Bearer " + good,
	}
	q := &fakeQueue{}
	h, log := withTokens(t, q)
	for name, authorization := range accepted {
		if w := post(t, h, `{}`, header("Authorization", authorization)); w.Code != http.StatusCreated {
			t.Errorf("%s: status %d: %s", name, w.Code, lines(t, log))
		}
	}
	jobs, body := len(q.jobs), ""
	for name, authorization := range refused {
		log.Reset()
		w := post(t, h, `{"message":"x"}`, header("Authorization", authorization))
		wantUnauthorized(t, name, w.Header(), w.Code)
		p := wantProblem(t, w, 401, "unauthorized")
		if text := strings.ReplaceAll(w.Body.String(), p.RequestID, "ID"); body == "" {
			body = text
		} else if text != body {
			t.Errorf("%s: body %s differs from %s", name, text, body)
		}
		line := lines(t, log)[0]
		if reason, _ := line["error"].(string); !strings.HasPrefix(reason, "unauthorized: ") || line["level"] != "info" {
			t.Errorf("%s: the log gives no reason: %v", name, line)
		}
	}
	if len(q.jobs) != jobs {
		t.Error("a bad token registered a job")
	}
}

// respell sets a bit of the last character that stands for nothing: a lenient decoder reads the same signature.
func respell(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + alphabet[strings.IndexByte(alphabet, token[last])+1:][:1]
}

func withTokens(t *testing.T, q Queue) (http.Handler, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	h, err := New(q, Config{Secret: testSecret, Issuer: "me", Audience: "jobs", Logger: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	return h, &log
}

func wantUnauthorized(t *testing.T, name string, h http.Header, status int) {
	t.Helper()
	if got := h.Get("WWW-Authenticate"); status != 401 || got != `Bearer realm="punctual", error="invalid_token"` {
		t.Errorf("%s: status %d, WWW-Authenticate %q", name, status, got)
	}
}

func TestTokenOnlyInTheHeaderAndOnce(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	token := testToken(t)
	for name, change := range map[string]func(*http.Request){
		"query": func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=" + token },
		"cookie": func(r *http.Request) {
			r.Header.Del("Authorization")
			r.AddCookie(&http.Cookie{Name: "token", Value: token})
		},
		"twice": func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+token) },
	} {
		w := post(t, h, `{}`, change)
		wantUnauthorized(t, name, w.Header(), w.Code)
	}
}

func TestSecretOfTooFewBytesIsRefused(t *testing.T) {
	for _, secret := range [][]byte{nil, []byte(strings.Repeat("x", 31))} {
		if _, err := New(&fakeQueue{}, Config{Secret: secret}); err == nil || !strings.Contains(err.Error(), "JWT_SECRET") {
			t.Errorf("New with %d bytes: %v", len(secret), err)
		}
		if _, err := NewToken(secret, TokenClaims{}); err == nil {
			t.Errorf("NewToken with %d bytes: no error", len(secret))
		}
	}
	if _, err := New(&fakeQueue{}, Config{Secret: []byte(strings.Repeat("x", 32))}); err != nil {
		t.Error(err)
	}
}

func TestNewToken(t *testing.T) {
	h, log := withTokens(t, &fakeQueue{})
	token, err := NewToken(testSecret, TokenClaims{Subject: "me too", Issuer: "me", Audience: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	if w := post(t, h, `{}`, header("Authorization", "Bearer "+token)); w.Code != http.StatusCreated {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if line := lines(t, log)[0]; line["subject"] != "me too" {
		t.Errorf("the log says %v", line)
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		t.Fatal(err)
	}
	if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); life != time.Hour {
		t.Errorf("lives %s", life)
	}
}

package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
)

// fixedJWKS are keys that have been read.
func fixedJWKS(t *testing.T, text []byte) *JWKS {
	t.Helper()
	k, err := NewJWKS(JWKSConfig{File: "unread"})
	if err != nil {
		t.Fatal(err)
	}
	k.read = func(context.Context) ([]byte, error) { return text, nil }
	readNow(k)
	return k
}

// readNow has the keys read, as Run does.
func readNow(k *JWKS) {
	k.mu.Lock()
	done := k.start()
	k.mu.Unlock()
	<-done
}

// issuer is a small server that publishes keys.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  int
}

func newIssuer(t *testing.T, text []byte) *issuer {
	t.Helper()
	i := &issuer{}
	i.publish(text)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.asked++
		answer := i.answer
		i.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answers(f http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

func (i *issuer) publish(text []byte) {
	i.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
}

func (i *issuer) times() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// clocked are the keys of a URL with a clock that the test turns, and patience: how long a reading takes is not the test's matter.
func clocked(t *testing.T, url string, log *bytes.Buffer) (k *JWKS, turn func(time.Duration)) {
	t.Helper()
	k, err := NewJWKS(JWKSConfig{URL: url, Logger: zerolog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k.now, k.wait = func() time.Time { return now }, time.Minute
	return k, func(d time.Duration) { now = now.Add(d) }
}

// TestKeysRotate: a token of a new key is good as soon as the key is published, one of a key that is withdrawn is not; the server is
// asked at most once a minute whatever tokens come.
func TestKeysRotate(t *testing.T) {
	keys := make([]ed25519.PrivateKey, 3)
	for i := range keys {
		_, keys[i], _ = ed25519.GenerateKey(nil)
	}
	public := func(i int) map[string]any { return jwk(fmt.Sprint("key", i), keys[i].Public()) }
	server := newIssuer(t, jwksText(public(0)))
	var log bytes.Buffer
	k, turn := clocked(t, server.URL, &log)
	v, err := newVerifier(Config{JWKS: k})
	if err != nil {
		t.Fatal(err)
	}
	want := func(i int, good bool, asked int) {
		t.Helper()
		_, err := v.caller(bearer(signedWith(t, jwt.SigningMethodEdDSA, keys[i], kid(fmt.Sprint("key", i)), nil)))
		if (err == nil) != good || server.times() != asked {
			t.Errorf("key%d: %v, the server was asked %d times; want good: %v, asked %d times", i, err, server.times(), good, asked)
		}
	}
	want(0, true, 1) // read because of this token: nothing was before
	want(1, false, 1)
	server.publish(jwksText(public(0), public(1)))
	want(1, false, 1) // not yet a minute
	turn(time.Minute)
	want(1, true, 2)
	want(0, true, 2)
	turn(time.Minute)
	server.publish(jwksText(public(1), public(2)))
	want(2, true, 3)
	want(0, false, 3) // withdrawn, and its token has nothing read within the minute
	for range 10 {
		want(0, false, 3)
	}
}

// TestLastGoodKeysCount: whatever the server answers that is not keys, tokens stay good, and the log tells of it once.
func TestLastGoodKeysCount(t *testing.T) {
	key := testKeys().ed
	good := jwksText(jwk("ed", key.Public()))
	elsewhere := newIssuer(t, jwksText(jwk("evil", testKeys().ec.Public())))
	server := newIssuer(t, good)
	var log bytes.Buffer
	k, _ := clocked(t, server.URL+"/?key=hunter2", &log)
	v, err := newVerifier(Config{JWKS: k})
	if err != nil {
		t.Fatal(err)
	}
	readNow(k)
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"500":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write(jwksText()) },
		"not JSON":      text("<html>"),
		"nothing":       text(""),
		"no keys":       text(`{}`),
		"an empty set":  text(`{"keys":[]}`),
		"bad keys only": text(`{"keys":[{"kty":"oct","k":"AAAA"},7,null]}`),
		"too many keys": text(`{"keys":[` + strings.Repeat(`{},`, maxJWKSKeys) + `{}]}`),
		"endless":       text(`{"keys":[` + strings.Repeat(" ", maxJWKS) + `]}`),
		"a redirect":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"cut off":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a broken frame": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("x"))
		},
	} {
		log.Reset()
		server.answers(answer)
		readNow(k)
		readNow(k)
		if _, err := v.caller(bearer(signedWith(t, jwt.SigningMethodEdDSA, key, kid("ed"), nil))); err != nil {
			t.Errorf("%s: the last good keys do not count: %v", name, err)
		}
		if told := lines(t, &log); len(told) != 1 || told[0]["level"] != "warn" || told[0]["error"] == "" {
			t.Errorf("%s: the log says %v", name, told)
		}
		if strings.Contains(log.String(), "hunter2") {
			t.Errorf("%s: the log tells the URL: %s", name, &log)
		}
		log.Reset()
		server.publish(good)
		readNow(k)
		readNow(k)
		if told := lines(t, &log); len(told) != 1 || told[0]["level"] != "info" {
			t.Errorf("%s: afterwards the log says %v", name, told)
		}
	}
	if elsewhere.times() != 0 {
		t.Error("the redirect was followed")
	}
}

// TestAbsentServerStopsNothing: neither the start nor the tokens of other keys.
func TestAbsentServerStopsNothing(t *testing.T) {
	server := newIssuer(t, jwksText(jwk("ed", testKeys().ed.Public())))
	url := server.URL
	server.Close()
	var log bytes.Buffer
	k, _ := clocked(t, url, &log)
	readNow(k)
	h, err := New(&fakeQueue{}, Config{Secret: testSecret, JWKS: k})
	if err != nil {
		t.Fatal(err)
	}
	if w := post(t, h, `{}`); w.Code != 201 {
		t.Errorf("HS256: %d %s", w.Code, w.Body)
	}
	token := signedWith(t, jwt.SigningMethodEdDSA, testKeys().ed, kid("ed"), nil)
	wantProblem(t, post(t, h, `{}`, header("Authorization", "Bearer "+token)), 401, "unauthorized")
}

// A server that does not answer holds no request for longer than it may wait, and what it says in the end counts.
func TestSlowServerIsNotWaitedFor(t *testing.T) {
	answer := make(chan struct{})
	server := newIssuer(t, nil)
	server.answers(func(w http.ResponseWriter, _ *http.Request) {
		<-answer
		_, _ = w.Write(jwksText(jwk("ed", testKeys().ed.Public())))
	})
	k, _ := clocked(t, server.URL, &bytes.Buffer{})
	k.wait = 0
	v, err := newVerifier(Config{JWKS: k})
	if err != nil {
		t.Fatal(err)
	}
	token := bearer(signedWith(t, jwt.SigningMethodEdDSA, testKeys().ed, kid("ed"), nil))
	for range 3 {
		if _, err := v.caller(token); err == nil {
			t.Error("taken without its key")
		}
	}
	k.mu.Lock()
	done := k.start() // the one that is under way
	k.mu.Unlock()
	close(answer)
	<-done
	if _, err := v.caller(token); err != nil || server.times() != 1 {
		t.Errorf("%v; the server was asked %d times, want once", err, server.times())
	}
}

func TestKeysOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	k, err := NewJWKS(JWKSConfig{File: path})
	if err != nil {
		t.Fatal(err)
	}
	k.wait = time.Minute
	v, err := newVerifier(Config{JWKS: k})
	if err != nil {
		t.Fatal(err)
	}
	readNow(k) // it is not there yet
	if err := os.WriteFile(path, jwksText(jwk("ec", testKeys().ec.Public())), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.caller(bearer(signedWith(t, jwt.SigningMethodES256, testKeys().ec, kid("ec"), nil))); err != nil {
		t.Error(err)
	}
}

// Run reads at once, and ends with its context.
func TestRunReadsTheKeys(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := newIssuer(t, nil)
	server.answers(func(w http.ResponseWriter, _ *http.Request) { asked <- struct{}{} })
	k, _ := clocked(t, server.URL, &bytes.Buffer{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	<-asked
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A token's jku and x5u, and the x5u of a published key, lead nowhere.
func TestKeysAreFetchedFromNowhereElse(t *testing.T) {
	elsewhere := newIssuer(t, jwksText(jwk("ed", testKeys().ed.Public())))
	k := fixedJWKS(t, jwksText(jwk("rsa", &testKeys().rsa.PublicKey, map[string]any{"x5u": elsewhere.URL})))
	v, err := newVerifier(Config{JWKS: k})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jku", "x5u"} {
		token := signedWith(t, jwt.SigningMethodEdDSA, testKeys().ed, map[string]any{"kid": "ed", name: elsewhere.URL}, nil)
		if _, err := v.caller(bearer(token)); err == nil {
			t.Errorf("%s is followed", name)
		}
	}
	if _, err := v.caller(bearer(signedWith(t, jwt.SigningMethodRS256, testKeys().rsa, kid("rsa"), nil))); err != nil || elsewhere.times() != 0 {
		t.Errorf("%v; asked elsewhere %d times", err, elsewhere.times())
	}
}

func TestKeysOfNowhere(t *testing.T) {
	for _, c := range []JWKSConfig{{}, {URL: "https://h/", File: "x"}, {URL: "file:///etc/passwd"}, {URL: "gopher://h/"}, {URL: "https://"}, {URL: ":"}} {
		if _, err := NewJWKS(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

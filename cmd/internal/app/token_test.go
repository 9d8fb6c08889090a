package app

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const testSecret = "only for the tests of this package"

func TestToken(t *testing.T) {
	for _, c := range []struct {
		args    []string
		pairs   []string
		subject string
	}{
		{nil, []string{"JWT_SECRET=" + testSecret}, "dev"},
		{[]string{"--sub", "me"}, []string{"JWT_SECRET=" + testSecret, "APP_ENV=production"}, "me"},
	} {
		var stdout, stderr output
		pairs := append(c.pairs, "JWT_ISSUER=us", "JWT_AUDIENCE=them")
		if code := Punctual(t.Context(), append([]string{"token"}, c.args...), env(pairs...), &stdout, &stderr); code != exitOK || stderr.String() != "" {
			t.Fatalf("%v: exit %d, %s", c.args, code, stderr.String())
		}
		text, ok := strings.CutSuffix(stdout.String(), "\n")
		if !ok || strings.ContainsAny(text, " \n") {
			t.Fatalf("stdout is %q, want a token and nothing else", stdout.String())
		}
		var claims jwt.RegisteredClaims
		_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return []byte(testSecret), nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("us"), jwt.WithAudience("them"))
		if err != nil {
			t.Fatal(err)
		}
		if claims.Subject != c.subject {
			t.Errorf("subject is %s, want %s", claims.Subject, c.subject)
		}
		if left := time.Until(claims.ExpiresAt.Time); left < 24*time.Hour-time.Minute || left > 24*time.Hour {
			t.Errorf("it is good for %s, want 24h", left)
		}
	}
}

func TestTokenRefusesWithoutSecret(t *testing.T) {
	for _, where := range []string{"staging", "production"} {
		var stdout, stderr output
		code := Punctual(t.Context(), []string{"token"}, env("APP_ENV="+where), &stdout, &stderr)
		if code != exitFailed || stdout.String() != "" || !strings.Contains(stderr.String(), "JWT_SECRET") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want exit 1, nothing, and a sentence that names JWT_SECRET",
				where, code, stdout.String(), stderr.String())
		}
	}
}

// tokenOf runs punctual token and takes its token apart.
func tokenOf(t *testing.T, pairs []string, args ...string) (jwt.MapClaims, map[string]any) {
	t.Helper()
	var stdout, stderr output
	if code := Punctual(t.Context(), append([]string{"token"}, args...), env(pairs...), &stdout, &stderr); code != exitOK {
		t.Fatalf("%v: exit %d, %s", args, code, stderr.String())
	}
	claims := jwt.MapClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(strings.TrimSpace(stdout.String()), claims)
	if err != nil {
		t.Fatal(err)
	}
	return claims, token.Header
}

func TestTokenCarriesEveryScopeUnlessNarrowed(t *testing.T) {
	const all = "jobs:write jobs:read jobs:admin workers:admin"
	for _, c := range []struct {
		args          []string
		scope, queues any
	}{
		{nil, all, nil},
		{[]string{"--scope", "jobs:read  jobs:write"}, "jobs:read jobs:write", nil},
		{[]string{"--scope", ""}, "", nil},
		{[]string{"--queues", "a,b"}, all, []any{"a", "b"}},
		{[]string{"--queues", "a", "--queues", "b", "--scope", "jobs:read"}, "jobs:read", []any{"a", "b"}},
	} {
		claims, header := tokenOf(t, []string{"JWT_SECRET=" + testSecret}, c.args...)
		if claims["scope"] != c.scope || !reflect.DeepEqual(claims["queues"], c.queues) || header["kid"] != nil {
			t.Errorf("%v: claims %v, header %v", c.args, claims, header)
		}
	}
}

func TestTokenIsSignedByTheFirstOfSeveralSecrets(t *testing.T) {
	pairs := []string{"JWT_SECRETS=new:" + strings.Repeat("n", 32) + ",old:" + strings.Repeat("o", 32)}
	for _, c := range []struct {
		args []string
		kid  string
	}{{nil, "new"}, {[]string{"--kid", "old"}, "old"}} {
		if _, header := tokenOf(t, pairs, c.args...); header["kid"] != c.kid {
			t.Errorf("%v: the header is %v, want the kid %s", c.args, header, c.kid)
		}
	}
}

func TestTokenRefusesSlips(t *testing.T) {
	for says, args := range map[string][]string{
		`"jobs:wirte"`: {"--scope", "jobs:wirte"},
		`"A"`:          {"--queues", "A"},
		`"other"`:      {"--kid", "other"},
	} {
		var stdout, stderr output
		code := Punctual(t.Context(), append([]string{"token"}, args...), env("JWT_SECRET="+testSecret), &stdout, &stderr)
		if code == exitOK || stdout.String() != "" || !strings.Contains(stderr.String(), says) {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", args, code, stdout.String(), stderr.String())
		}
	}
}

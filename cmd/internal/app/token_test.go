package app

import (
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

package settings

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSecretRules(t *testing.T) {
	cases := []struct {
		name    string
		program Program
		pairs   []string
		names   string // the setting that is named; empty: accepted
	}{
		{"develop has one", API, nil, ""},
		{"production has none", API, []string{"APP_ENV=production"}, "JWT_SECRET"},
		{"staging has none", API, []string{"APP_ENV=staging"}, "JWT_SECRET"},
		{"production with one", API, []string{"APP_ENV=production", "JWT_SECRET=" + longEnough}, ""},
		{"the built-in one in production", API, []string{"APP_ENV=production", "JWT_SECRET=" + developSecret}, "JWT_SECRET"},
		{"the built-in one in production, worker", Worker, []string{"APP_ENV=production", "JWT_SECRET=" + developSecret}, "JWT_SECRET"},
		{"a worker needs none", Worker, []string{"APP_ENV=production"}, ""},
		{"a worker does not serve HTTP_ADDR", Worker, []string{"HTTP_ADDR=:8080"}, ""},
		{"token says it by itself", Token, []string{"APP_ENV=production"}, ""},
		{"all interfaces", API, []string{"HTTP_ADDR=:8080"}, "HTTP_ADDR"},
		{"another address", API, []string{"HTTP_ADDR=192.0.2.1:8080"}, "HTTP_ADDR"},
		{"any name", API, []string{"HTTP_ADDR=loopback.example:8080"}, "HTTP_ADDR"},
		{"the built-in one, set by hand", API, []string{"HTTP_ADDR=0.0.0.0:8080", "JWT_SECRET=" + developSecret}, "HTTP_ADDR"},
		{"all interfaces with a secret", API, []string{"HTTP_ADDR=:8080", "JWT_SECRET=" + longEnough}, ""},
		{"localhost", API, []string{"HTTP_ADDR=localhost:8080"}, ""},
		{"another loopback", API, []string{"HTTP_ADDR=127.9.9.9:8080"}, ""},
		{"secrets with kids alone", API, []string{"APP_ENV=production", "JWT_SECRETS=a:" + longEnough}, ""},
		{"a JWKS alone", API, []string{"APP_ENV=production", "JWT_JWKS_URL=https://h/", "JWT_ISSUER=i", "JWT_AUDIENCE=a"}, ""},
		{"a JWKS on all interfaces", API, []string{"HTTP_ADDR=:8080", "JWT_JWKS_FILE=/x", "JWT_ISSUER=i", "JWT_AUDIENCE=a"}, ""},
		{"a JWKS for any audience", API, []string{"JWT_JWKS_URL=https://h/", "JWT_ISSUER=i"}, "JWT_JWKS_URL"},
		{"a JWKS of any issuer", API, []string{"JWT_JWKS_FILE=/x", "JWT_AUDIENCE=a"}, "JWT_JWKS_FILE"},
		{"two JWKS", API, []string{"JWT_JWKS_URL=https://h/", "JWT_JWKS_FILE=/x", "JWT_ISSUER=i", "JWT_AUDIENCE=a"}, "JWT_JWKS_URL"},
		{"loopback of IPv6", API, []string{"HTTP_ADDR=[::1]:8080"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.names == "" {
				mustRead(t, c.program, c.pairs...)
				return
			}
			wrong := refused(t, c.program, c.pairs...)
			if len(wrong) != 1 || !strings.HasPrefix(wrong[0], c.names+" ") {
				t.Errorf("got %q, want one sentence that begins with %s", wrong, c.names)
			}
		})
	}
}

// With keys of its own, a process in develop does not take tokens that everybody can make.
func TestOtherKeysReplaceTheBuiltInOne(t *testing.T) {
	for _, pair := range []string{"JWT_SECRETS=a:" + longEnough, "JWT_JWKS_FILE=/x"} {
		if s := mustRead(t, API, pair, "JWT_ISSUER=i", "JWT_AUDIENCE=a"); s.JWTSecret != "" {
			t.Errorf("%s: JWT_SECRET is the built-in one", pair)
		}
	}
}

func TestSigner(t *testing.T) {
	named := "JWT_SECRETS=a:" + longEnough + "a,b:" + longEnough + "b"
	for _, c := range []struct {
		pairs []string
		kid   string
		want  NamedSecret
		ok    bool
	}{
		{[]string{named, "JWT_SECRET=" + longEnough}, "", NamedSecret{"a", longEnough + "a"}, true},
		{[]string{named}, "b", NamedSecret{"b", longEnough + "b"}, true},
		{[]string{named, "JWT_SECRET=" + longEnough}, "c", NamedSecret{Secret: longEnough}, false},
		{[]string{"JWT_SECRET=" + longEnough}, "", NamedSecret{Secret: longEnough}, true},
		{[]string{"JWT_SECRET=" + longEnough}, "a", NamedSecret{Secret: longEnough}, false},
		{[]string{"JWT_JWKS_FILE=/x"}, "", NamedSecret{}, false},
	} {
		if got, ok := mustRead(t, Token, c.pairs...).Signer(c.kid); got != c.want || ok != c.ok {
			t.Errorf("%q, kid %q: %#v %v", c.pairs, c.kid, got, ok)
		}
	}
}

// TestSecretsStaySecret: neither errors nor a settings value printed in any way tell a secret.
func TestSecretsStaySecret(t *testing.T) {
	s := mustRead(t, API, "JWT_SECRET=hunter2hunter2hunter2hunter2hunter2", "REDIS_URL=redis://:hunter2@127.0.0.1:1/0")
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	told := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, asJSON, s.RedisURL)
	for _, url := range []string{"redis://:hunter2/x@h:1/0", "redis://u:hunter2%zz@h", "redis://:hunter2@h:1/x", "hunter2"} {
		told += refused(t, API, "REDIS_URL="+url).Error()
	}
	told += refused(t, API, "JWT_SECRET=hunter2").Error()
	for _, value := range []string{"hunter2", "a:hunter2", "a:" + longEnough + ",hunter2", "hunter2 x:" + longEnough, "a:" + longEnough + " hunter2"} {
		told += refused(t, API, "JWT_SECRETS="+value).Error()
	}
	for _, url := range []string{"https://u:hunter2@h/", "http://h/?key=hunter2", "https://h/%zzhunter2"} {
		told += refused(t, API, "JWT_JWKS_URL="+url).Error()
	}
	more := mustRead(t, Worker, "JWT_SECRETS=a:hunter2hunter2hunter2hunter2hunter2", "JWT_JWKS_URL=https://h/?key=hunter2")
	moreJSON, err := json.Marshal(more)
	if err != nil {
		t.Fatal(err)
	}
	told += fmt.Sprintf("%v %+v %#v %s", more, more, more, moreJSON)
	told += refused(t, API, "APP_ENV=production", "JWT_SECRET="+developSecret).Error()
	var help strings.Builder
	Help(&help)
	told += help.String()
	for _, secret := range []string{"hunter2", developSecret} {
		if strings.Contains(told, secret) {
			t.Errorf("%q is told in %s", secret, told)
		}
	}
}

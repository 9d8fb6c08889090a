package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// hostileTokens are tokens that must not be taken, each with a registration that would be.
func hostileTokens(t *testing.T) []hostile {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := tokenOf(t, jwt.MapClaims{"scope": allScopes})
	part := strings.Split(good, ".")
	headed := func(method jwt.SigningMethod, key any, head map[string]any) string {
		token := jwt.NewWithClaims(method, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(), "scope": allScopes})
		maps.Copy(token.Header, head)
		s, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	claimed := func(claims string) string { // signed with the secret, whatever it says
		body := part[0] + "." + b64([]byte(claims))
		s, err := jwt.SigningMethodHS256.Sign(body, testSecret)
		if err != nil {
			t.Fatal(err)
		}
		return body + "." + b64(s)
	}
	exp := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	var rows []hostile
	refused := func(name string, lines ...string) {
		rows = append(rows, hostile{name: "token: " + name, request: sent(t, "POST", pathRegister, `{}`, lines...), status: 401, code: "unauthorized"})
	}
	for name, token := range map[string]string{
		"alg none":                              b64([]byte(`{"alg":"none"}`)) + "." + part[1] + ".",
		"alg NonE with a signature":             b64([]byte(`{"alg":"NonE"}`)) + "." + part[1] + "." + part[2],
		"alg empty":                             b64([]byte(`{"alg":""}`)) + "." + part[1] + "." + part[2],
		"alg missing":                           b64([]byte(`{}`)) + "." + part[1] + "." + part[2],
		"two algs":                              b64([]byte(`{"alg":"HS256","alg":"none"}`)) + "." + part[1] + "." + part[2],
		"HS256 with a public key as its secret": headed(jwt.SigningMethodHS256, public, nil),
		"HS256 with no secret":                  headed(jwt.SigningMethodHS256, []byte{}, nil),
		"HS384 with the secret":                 headed(jwt.SigningMethodHS384, testSecret, nil),
		"HS512 with the secret":                 headed(jwt.SigningMethodHS512, testSecret, nil),
		"RS256":                                 headed(jwt.SigningMethodRS256, rsaKey, nil),
		"PS256":                                 headed(jwt.SigningMethodPS256, rsaKey, nil),
		"ES256 with its key in jwk":             headed(jwt.SigningMethodES256, ecKey, map[string]any{"jwk": map[string]string{"kty": "EC", "crv": "P-256"}}),
		"RS256 with jku":                        headed(jwt.SigningMethodRS256, rsaKey, map[string]any{"jku": "http://evil.example/keys"}),
		"RS256 with x5u":                        headed(jwt.SigningMethodRS256, rsaKey, map[string]any{"x5u": "http://evil.example/cert"}),
		"kid is a path":                         headed(jwt.SigningMethodHS256, []byte{}, map[string]any{"kid": "../../../../dev/null"}),
		"kid is SQL":                            headed(jwt.SigningMethodHS256, []byte("x"), map[string]any{"kid": "' UNION SELECT 'x"}),
		"crit":                                  headed(jwt.SigningMethodHS256, testSecret, map[string]any{"crit": []string{"b64"}, "b64": false}),
		"a signature of something else":         part[0] + "." + part[1] + "." + strings.Split(headed(jwt.SigningMethodHS256, testSecret, nil), ".")[2],
		"claims changed":                        part[0] + "." + b64([]byte(`{"exp":99999999999,"scope":"jobs:admin"}`)) + "." + part[2],
		"no signature":                          part[0] + "." + part[1],
		"an empty signature":                    part[0] + "." + part[1] + ".",
		"padded":                                good + "==",
		"a respelled signature":                 respell(good),
		"five parts":                            good + "." + part[1] + "." + part[2],
		"JSON":                                  `{"payload":"` + part[1] + `","signature":"` + part[2] + `"}`,
		"8 KiB of dots":                         strings.Repeat(".", 8<<10),
		"expired":                               tokenOf(t, jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}),
		"not valid yet":                         tokenOf(t, jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()}),
		"no exp":                                tokenOf(t, jwt.MapClaims{"exp": nil}),
		"exp in quotes":                         claimed(`{"exp":"` + exp + `"}`),
		"exp of 1e309":                          claimed(`{"exp":1e309}`),
		"exp is null":                           claimed(`{"exp":null}`),
		"exp twice":                             claimed(`{"exp":1,"exp":` + exp + `}`),
		"scope twice":                           claimed(`{"exp":` + exp + `,"scope":"","scope":"jobs:write"}`),
		"scope is an array":                     claimed(`{"exp":` + exp + `,"scope":["jobs:write"]}`),
		"scope is a number":                     claimed(`{"exp":` + exp + `,"scope":1}`),
		"queues is a string":                    claimed(`{"exp":` + exp + `,"queues":"default"}`),
		"queues of numbers":                     claimed(`{"exp":` + exp + `,"queues":[1]}`),
		"claims are an array":                   claimed(`[{"exp":` + exp + `}]`),
		"something after the claims":            claimed(`{"exp":` + exp + `}{"scope":"jobs:write"}`),
		"sub of 1 KiB":                          claimed(`{"exp":` + exp + `,"sub":"` + strings.Repeat("x", 1<<10) + `"}`),
	} {
		refused(name, "Authorization: Bearer "+token)
	}
	refused("none", "Authorization:")
	refused("without Bearer", "Authorization: "+good)
	refused("Basic", "Authorization: Basic "+good)
	refused("Bearer twice in one header", "Authorization: Bearer "+good+", Bearer "+good)
	refused("two headers", "Authorization: Bearer "+good, "authorization: Bearer "+good)
	refused("in a cookie", "Authorization:", "Cookie: Authorization="+good)
	refused("in the header of a proxy", "Authorization:", "Proxy-Authorization: Bearer "+good, "X-Forwarded-Authorization: Bearer "+good)
	rows = append(rows, hostile{name: "token: in the query", status: 401, code: "unauthorized",
		request: sent(t, "POST", pathRegister+"?access_token="+good, `{}`, "Authorization:")})

	for name, claims := range map[string]jwt.MapClaims{
		"of another verb":      {"scope": "jobs:read jobs:admin workers:admin"},
		"in capitals":          {"scope": "JOBS:WRITE"},
		"of letters that look": {"scope": "jobs:wr\u0456te"}, // a Cyrillic i
		"with a comma":         {"scope": "jobs:write,jobs:read"},
		"a star":               {"scope": "*"},
		"empty":                {"scope": ""},
		"of another queue":     {"scope": allScopes, "queues": []string{"other"}},
		"of no queue":          {"scope": allScopes, "queues": []string{}},
		"of a pattern":         {"scope": allScopes, "queues": []string{"*", "defaul?", "default\x00"}},
	} {
		rows = append(rows, hostile{name: "scope: " + name, status: 403, code: "insufficient-scope",
			request: sent(t, "POST", pathRegister, `{}`, "Authorization: Bearer "+tokenOf(t, claims))})
	}
	for _, target := range []string{"DELETE /jobs/mine", "POST /queues/default/purge", "POST /queues/default/pause", "POST /workers/x/stop", "GET /queues", "POST /jobs/mine/run"} {
		method, path, _ := strings.Cut(target, " ")
		rows = append(rows, hostile{name: "scope: none for " + target, status: 403, code: "insufficient-scope",
			request: sent(t, method, base+path, ``, "Authorization: Bearer "+tokenOf(t, nil))})
	}
	return append(rows, hostile{name: "scope: somebody else's job", status: 404, code: "no-such-job",
		request: sent(t, "GET", base+"/jobs/mine", ``, "Authorization: Bearer "+tokenOf(t, jwt.MapClaims{"sub": "another"}))})
}

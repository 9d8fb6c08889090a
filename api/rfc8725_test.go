package api

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// rfcVerifier has keys of every kind: a secret, two that are named, and a JWKS.
func rfcVerifier(t *testing.T) *verifier {
	t.Helper()
	k := testKeys()
	keys := fixedJWKS(t, jwksText(jwk("rsa", &k.rsa.PublicKey), jwk("ec", &k.ec.PublicKey), jwk("ed", k.ed.Public())))
	v, err := newVerifier(Config{Secret: testSecret, Secrets: []Secret{{"new", newSecret}, {"old", oldSecret}}, JWKS: keys, Issuer: "me", Audience: "jobs"})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var newSecret, oldSecret = []byte("the new secret of the tests, 32 bytes"), []byte("the old secret of the tests, 32 bytes")

func TestEveryKindOfKeyIsTaken(t *testing.T) {
	v, k := rfcVerifier(t), testKeys()
	for name, token := range map[string]string{
		"HS256":                  signedWith(t, jwt.SigningMethodHS256, testSecret, nil, nil),
		"HS256, an unknown kid":  signedWith(t, jwt.SigningMethodHS256, testSecret, kid("other"), nil),
		"HS256, the new kid":     signedWith(t, jwt.SigningMethodHS256, newSecret, kid("new"), nil),
		"HS256, the old kid":     signedWith(t, jwt.SigningMethodHS256, oldSecret, kid("old"), nil),
		"RS256":                  signedWith(t, jwt.SigningMethodRS256, k.rsa, kid("rsa"), nil),
		"RS256, no kid":          signedWith(t, jwt.SigningMethodRS256, k.rsa, nil, nil),
		"ES256":                  signedWith(t, jwt.SigningMethodES256, k.ec, kid("ec"), nil),
		"EdDSA":                  signedWith(t, jwt.SigningMethodEdDSA, k.ed, kid("ed"), nil),
		"EdDSA, an access token": signedWith(t, jwt.SigningMethodEdDSA, k.ed, map[string]any{"kid": "ed", "typ": "application/at+jwt"}, nil),
	} {
		if c, err := v.caller(bearer(token)); err != nil || c.subject != "tester" {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// TestRFC8725 has one case or more for each section of the best current practices; none of the tokens is good.
func TestRFC8725(t *testing.T) {
	v, k := rfcVerifier(t), testKeys()
	in := time.Now().Unix()
	claims := fmt.Sprintf(`{"sub":"tester","iss":"me","aud":"jobs","exp":%d}`, in+60)
	none := func(string) []byte { return nil }
	hs := func(header map[string]any, changes jwt.MapClaims) string {
		return signedWith(t, jwt.SigningMethodHS256, testSecret, header, changes)
	}
	forged := func(header, claims string) string { return forge(header, claims, hmacWith(testSecret)) }
	der, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	publicJWK, _ := json.Marshal(jwk("rsa", &k.rsa.PublicKey))
	inner := hs(nil, nil)

	for _, c := range []struct{ section, name, token string }{
		{"3.1 algorithm verification", "alg none", forge(`{"alg":"none"}`, claims, none)},
		{"3.1 algorithm verification", "alg None", forge(`{"alg":"None"}`, claims, none)},
		{"3.1 algorithm verification", "alg none, signed", forged(`{"alg":"none"}`, claims)},
		{"3.1 algorithm verification", "no alg", forged(`{"typ":"JWT"}`, claims)},
		{"3.1 algorithm verification", "alg is empty", forged(`{"alg":""}`, claims)},
		{"3.1 algorithm verification", "alg in small letters", forged(`{"alg":"hs256"}`, claims)},
		{"3.1 algorithm verification", "alg is an array", forged(`{"alg":["HS256"]}`, claims)},
		{"3.1 algorithm verification", "HS256 with a public key as PEM", forge(`{"alg":"HS256","kid":"rsa"}`, claims, hmacWith(publicPEM))},
		{"3.1 algorithm verification", "HS256 with a public key as DER", forge(`{"alg":"HS256","kid":"rsa"}`, claims, hmacWith(der))},
		{"3.1 algorithm verification", "HS256 with a public key as JWK", forge(`{"alg":"HS256","kid":"rsa"}`, claims, hmacWith(publicJWK))},
		{"3.1 algorithm verification", "HS256 with a public key of Ed25519", forge(`{"alg":"HS256","kid":"ed"}`, claims, hmacWith(k.ed.Public().(ed25519.PublicKey)))},
		{"3.1 algorithm verification", "ES256 that names an RSA key", signedWith(t, jwt.SigningMethodES256, k.ec, kid("rsa"), nil)},
		{"3.1 algorithm verification", "RS256 that names an EC key", signedWith(t, jwt.SigningMethodRS256, k.rsa, kid("ec"), nil)},
		{"3.1 algorithm verification", "EdDSA that names an RSA key", signedWith(t, jwt.SigningMethodEdDSA, k.ed, kid("rsa"), nil)},
		{"3.1 algorithm verification", "RS256 that names a secret", signedWith(t, jwt.SigningMethodRS256, k.rsa, kid("new"), nil)},

		{"3.2 appropriate algorithms", "HS384", signedWith(t, jwt.SigningMethodHS384, testSecret, nil, nil)},
		{"3.2 appropriate algorithms", "HS512", signedWith(t, jwt.SigningMethodHS512, testSecret, nil, nil)},
		{"3.2 appropriate algorithms", "RS512", signedWith(t, jwt.SigningMethodRS512, k.rsa, kid("rsa"), nil)},
		{"3.2 appropriate algorithms", "PS256", signedWith(t, jwt.SigningMethodPS256, k.rsa, kid("rsa"), nil)},
		{"3.2 appropriate algorithms", "ES384", signedWith(t, jwt.SigningMethodES384, k.p384, kid("ec"), nil)},

		{"3.3 all cryptographic operations", "no signature", inner[:strings.LastIndexByte(inner, '.')+1]},
		{"3.3 all cryptographic operations", "a nested token", forged(`{"alg":"HS256","cty":"JWT"}`, claims)},
		{"3.3 all cryptographic operations", "a token as the claims", forged(`{"alg":"HS256"}`, `"`+inner+`"`)},
		{"3.3 all cryptographic operations", "encrypted, five parts", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA"},
		{"3.3 all cryptographic operations", "enc", forged(`{"alg":"HS256","enc":"A128GCM"}`, claims)},
		{"3.3 all cryptographic operations", "crit, known to nobody", forged(`{"alg":"HS256","crit":["x"],"x":1}`, claims)},
		{"3.3 all cryptographic operations", "crit of b64", forged(`{"alg":"HS256","crit":["b64"],"b64":false}`, claims)},
		{"3.3 all cryptographic operations", "b64 without crit", forged(`{"alg":"HS256","b64":false}`, claims)},
		{"3.3 all cryptographic operations", "crit is empty", forged(`{"alg":"HS256","crit":[]}`, claims)},
		{"3.3 all cryptographic operations", "crit is null", forged(`{"alg":"HS256","crit":null}`, claims)},

		{"3.4 cryptographic inputs", "ES256, zeroes as the signature", forge(`{"alg":"ES256","kid":"ec"}`, claims, func(string) []byte { return make([]byte, 64) })},
		{"3.4 cryptographic inputs", "ES256, as DER", forge(`{"alg":"ES256","kid":"ec"}`, claims, func(s string) []byte {
			sum := sha256.Sum256([]byte(s))
			der, err := ecdsa.SignASN1(rand.Reader, k.ec, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			return der
		})},
		{"3.4 cryptographic inputs", "EdDSA, zeroes as the signature", forge(`{"alg":"EdDSA","kid":"ed"}`, claims, func(string) []byte { return make([]byte, 64) })},
		{"3.4 cryptographic inputs", "RS256, an empty signature", forge(`{"alg":"RS256","kid":"rsa"}`, claims, none)},

		{"3.5 entropy of keys", "an empty secret", forge(`{"alg":"HS256"}`, claims, hmacWith(nil))},
		{"3.5 entropy of keys", "an empty secret under a kid", forge(`{"alg":"HS256","kid":"other"}`, claims, hmacWith(nil))},
		{"3.5 entropy of keys", "zeroes", forge(`{"alg":"HS256"}`, claims, hmacWith(make([]byte, 32)))},
		{"3.5 entropy of keys", "a word", forge(`{"alg":"HS256"}`, claims, hmacWith([]byte("secret")))},

		{"3.6 no compression", "zip", forged(`{"alg":"HS256","zip":"DEF"}`, claims)},

		{"3.7 UTF-8", "bytes that are not, in a claim", forged(`{"alg":"HS256"}`, "{\"sub\":\"\xff\","+claims[1:])},
		{"3.7 UTF-8", "bytes that are not, in the header", forged("{\"alg\":\"HS256\",\"x\":\"\xff\"}", claims)},
		{"3.7 UTF-8", "UTF-16", forged(`{"alg":"HS256"}`, string(asUTF16(claims)))},

		{"3.8 issuer and subject", "another issuer", hs(nil, jwt.MapClaims{"iss": "you"})},
		{"3.8 issuer and subject", "another case", hs(nil, jwt.MapClaims{"iss": "ME"})},
		{"3.8 issuer and subject", "several issuers", hs(nil, jwt.MapClaims{"iss": []string{"me", "you"}})},
		{"3.8 issuer and subject", "a subject that is no string", hs(nil, jwt.MapClaims{"sub": 1})},

		{"3.9 audience", "another audience", hs(nil, jwt.MapClaims{"aud": "other"})},
		{"3.9 audience", "others", hs(nil, jwt.MapClaims{"aud": []string{"other", "others"}})},
		{"3.9 audience", "nobody", hs(nil, jwt.MapClaims{"aud": []string{}})},
		{"3.9 audience", "one that begins with it", hs(nil, jwt.MapClaims{"aud": "jobs2"})},

		{"3.10 received claims", "kid is a path", signedWith(t, jwt.SigningMethodHS256, []byte{}, kid("../../../../dev/null"), nil)},
		{"3.10 received claims", "kid is SQL", signedWith(t, jwt.SigningMethodRS256, k.short, kid("' UNION SELECT 'secret"), nil)},
		{"3.10 received claims", "kid is not a string", forged(`{"alg":"HS256","kid":["new"]}`, claims)},
		{"3.10 received claims", "kid is an object, RS256", signedWith(t, jwt.SigningMethodRS256, k.rsa, map[string]any{"kid": map[string]any{"rsa": 1}}, nil)},
		{"3.10 received claims", "the kid of another secret", signedWith(t, jwt.SigningMethodHS256, oldSecret, kid("new"), nil)},
		{"3.10 received claims", "a key of its own as jwk", signedWith(t, jwt.SigningMethodRS256, k.short, map[string]any{"jwk": jwk("x", &k.short.PublicKey)}, nil)},
		{"3.10 received claims", "a scope that is no string", hs(nil, jwt.MapClaims{"scope": []string{"jobs:admin"}})},
		{"3.10 received claims", "queues that are no array", hs(nil, jwt.MapClaims{"queues": "default"})},

		{"3.11 explicit typing", "a logout token", hs(map[string]any{"typ": "logout+jwt"}, nil)},
		{"3.11 explicit typing", "a DPoP proof", hs(map[string]any{"typ": "dpop+jwt"}, nil)},
		{"3.11 explicit typing", "a type that is no string", forged(`{"alg":"HS256","typ":1}`, claims)},
		{"3.11 explicit typing", "an encrypted one", forged(`{"alg":"HS256","typ":"JWE"}`, claims)},

		{"3.12 different kinds of tokens", "an ID token for another client of the issuer", signedWith(t, jwt.SigningMethodRS256, k.rsa, kid("rsa"), jwt.MapClaims{"aud": "client-7", "nonce": "n"})},
		{"3.12 different kinds of tokens", "a security event", hs(map[string]any{"typ": "secevent+jwt"}, nil)},

		{"RFC 7519, 4 claims", "expired", hs(nil, jwt.MapClaims{"exp": in - 40})},
		{"RFC 7519, 4 claims", "exp is null", forged(`{"alg":"HS256"}`, strings.Replace(claims, fmt.Sprint(in+60), "null", 1))},
		{"RFC 7519, 4 claims", "exp in capitals", forged(`{"alg":"HS256"}`, strings.Replace(claims, "exp", "EXP", 1))},
		{"RFC 7519, 4 claims", "exp in quotes", hs(nil, jwt.MapClaims{"exp": fmt.Sprint(in + 60)})},
		{"RFC 7519, 4 claims", "exp is beyond all numbers", forged(`{"alg":"HS256"}`, strings.Replace(claims, fmt.Sprint(in+60), "1e999", 1))},
		{"RFC 7519, 4 claims", "not valid yet", hs(nil, jwt.MapClaims{"nbf": in + 40})},
		{"RFC 7519, 4 claims", "issued in the future", hs(nil, jwt.MapClaims{"iat": in + 40})},
		{"RFC 7519, 4 claims", "exp twice, the last one good", forged(`{"alg":"HS256"}`, `{"exp":1,`+claims[1:])},
		{"RFC 7519, 4 claims", "exp twice, the first one good", forged(`{"alg":"HS256"}`, claims[:len(claims)-1]+`,"exp":1}`)},
		{"RFC 7519, 4 claims", "a claim nobody knows, twice", forged(`{"alg":"HS256"}`, `{"x":1,"x":1,`+claims[1:])},
		{"RFC 7519, 4 claims", "something after them", forged(`{"alg":"HS256"}`, claims+`{}`)},
		{"RFC 7515, 4 header", "alg twice", forged(`{"alg":"none","alg":"HS256"}`, claims)},
		{"RFC 7515, 4 header", "kid twice", forged(`{"alg":"HS256","kid":"new","kid":"other"}`, claims)},
		{"RFC 7515, 4 header", "null", forged(`null`, claims)},
	} {
		t.Run(c.section+"/"+c.name, func(t *testing.T) {
			if got, err := v.caller(bearer(c.token)); !errors.Is(err, errUnauthorized) {
				t.Errorf("taken as %+v, %v", got, err)
			} else if strings.Contains(err.Error(), "tester") || strings.Contains(err.Error(), c.token) {
				t.Errorf("the error repeats the token: %s", err)
			}
		})
	}
	if _, err := v.caller(bearer(forged(`{"alg":"HS256"}`, claims))); err != nil {
		t.Errorf("what the forged tokens are made of is not good by itself: %s", err)
	}
}

func asUTF16(s string) []byte {
	wide := make([]byte, 0, 2*len(s))
	for _, b := range []byte(s) {
		wide = append(wide, b, 0)
	}
	return wide
}

// Keys that must not verify anything are left out of the set, whatever else is in it (RFC 8725, 3.4 and 3.5).
func TestKeysThatAreLeftOut(t *testing.T) {
	k := testKeys()
	with := func(name string, value any) map[string]any { return map[string]any{name: value} }
	offCurve := jwk("bad", &k.ec.PublicKey, with("y", jwk("", &k.ec.PublicKey)["x"]))
	for name, c := range map[string]struct {
		key  map[string]any
		says string
	}{
		"symmetric":             {map[string]any{"kty": "oct", "kid": "bad", "k": base64.RawURLEncoding.EncodeToString(testSecret)}, "symmetric"},
		"RSA of 1024 bits":      {jwk("bad", &k.short.PublicKey), "1024 bits"},
		"private":               {jwk("bad", &k.ec.PublicKey, with("d", "AQAB")), "private"},
		"for encryption":        {jwk("bad", &k.rsa.PublicKey, with("use", "enc")), "not for signatures"},
		"to sign only":          {jwk("bad", &k.rsa.PublicKey, with("key_ops", []string{"sign"})), "not for signatures"},
		"RSA for PS256":         {jwk("bad", &k.rsa.PublicKey, with("alg", "PS256")), "algorithm"},
		"RSA for HS256":         {jwk("bad", &k.rsa.PublicKey, with("alg", "HS256")), "algorithm"},
		"EC for RS256":          {jwk("bad", &k.ec.PublicKey, with("alg", "RS256")), "algorithm"},
		"P-384":                 {jwk("bad", &k.p384.PublicKey), "algorithm"},
		"a point off the curve": {offCurve, "cannot be read"},
		"RSA with exponent 1":   {jwk("bad", &k.rsa.PublicKey, with("e", "AQ")), "cannot be read"},
		"of no type":            {map[string]any{"kid": "bad"}, "cannot be read"},
		"of an unknown type":    {map[string]any{"kid": "bad", "kty": "AKP"}, "cannot be read"},
		"a kid that was there":  {jwk("good", &k.rsa.PublicKey), "the kid of one before"},
	} {
		keys, leftOut, err := parseJWKS(jwksText(jwk("good", &k.ec.PublicKey), c.key))
		if err != nil || len(keys) != 1 || keys[0].Marshal().KID != "good" || !strings.Contains(leftOut, c.says) || !strings.HasPrefix(leftOut, "key 1 ") {
			t.Errorf("%s: %d keys, left out %q, %v; want it to say %s", name, len(keys), leftOut, err, c.says)
		}
	}
}

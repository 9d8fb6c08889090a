package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// testKeys are made once: an RSA key takes a while.
var testKeys = sync.OnceValue(func() (k struct {
	rsa, short *rsa.PrivateKey
	ec, p384   *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}) {
	var errs [5]error
	k.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.short, errs[1] = rsa.GenerateKey(rand.Reader, 1024)
	k.ec, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, errs[3] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, k.ed, errs[4] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return k
})

// jwk is a public key as a JWKS has it.
func jwk(kid string, key crypto.PublicKey, more ...map[string]any) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	m := map[string]any{"kid": kid}
	switch k := key.(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), "AQAB"
	case *ecdsa.PublicKey:
		size := (k.Params().BitSize + 7) / 8
		m["kty"], m["crv"] = "EC", k.Params().Name
		m["x"], m["y"] = b64(k.X.FillBytes(make([]byte, size))), b64(k.Y.FillBytes(make([]byte, size)))
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k)
	}
	for _, extra := range more {
		maps.Copy(m, extra)
	}
	return m
}

func jwksText(keys ...map[string]any) []byte {
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return text
}

// forge makes a token of any header and claims, signed in any way.
func forge(header, claims string, signature func(signed string) []byte) string {
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(header)) + "." + b64([]byte(claims))
	return signed + "." + b64(signature(signed))
}

func hmacWith(key []byte) func(string) []byte {
	return func(signed string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
}

// signedWith makes a token of good claims but for the changes, with members of its own in its header.
func signedWith(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, changes jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "tester", "iss": "me", "aud": "jobs", "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, changes)
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func kid(name string) map[string]any { return map[string]any{"kid": name} }

package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
)

const (
	maxJWKS     = 1 << 20 // bytes
	maxJWKSKeys = 100
)

// fromURL makes what fetches the keys. A redirect is not followed: it would lead to where nobody has said that the keys are. No
// error repeats the URL, which may hold what is secret.
func fromURL(raw string) (read func(context.Context) ([]byte, error), host string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, "", errors.New("the URL of the keys is not one of http or https")
	}
	client := &http.Client{Timeout: jwksTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("it redirects, which is not followed: set JWT_JWKS_URL to where the keys are")
	}}
	return func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
		if err != nil {
			return nil, errors.New("not a URL")
		}
		request.Header.Set("Accept", "application/jwk-set+json, application/json")
		answer, err := client.Do(request)
		var withURL *url.Error
		if errors.As(err, &withURL) {
			return nil, withURL.Err
		} else if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("it answers %d", answer.StatusCode)
		}
		return readBounded(answer.Body)
	}, u.Host, nil
}

func fromFile(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readBounded(f)
	}
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxJWKS+1))
	if err == nil && len(text) > maxJWKS {
		err = fmt.Errorf("it is longer than %d bytes", maxJWKS)
	}
	return text, err
}

// parseJWKS returns the keys that may be used, and why each of the others is left out. A set of none is an error: it would be the
// end of all tokens, and more likely a mistake.
func parseJWKS(text []byte) (keys []jwkset.JWK, leftOut string, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, "", errors.New("it is not a JWK set")
	}
	if len(set.Keys) > maxJWKSKeys {
		return nil, "", fmt.Errorf("it has more than %d keys", maxJWKSKeys)
	}
	var without []string
	seen := map[string]bool{}
	for i, raw := range set.Keys {
		var m jwkset.JWKMarshal
		err := json.Unmarshal(raw, &m)
		var key jwkset.JWK
		if err == nil {
			key, err = publicKey(m)
		}
		if err == nil && seen[m.KID] && m.KID != "" {
			err = errors.New("has the kid of one before it")
		}
		if err != nil {
			without = append(without, fmt.Sprintf("key %d %s", i, err))
			continue
		}
		seen[m.KID] = true
		keys = append(keys, key)
	}
	leftOut = strings.Join(without, "; ")
	if len(keys) == 0 {
		return nil, "", errors.New("it has no key that can be used: " + leftOut)
	}
	return keys, leftOut, nil
}

// publicKey makes a key that verifies signatures of one algorithm: the one its type is for, whether or not it names it. Refused are
// symmetric keys, private ones, those that are for other uses, and RSA keys that are too short, or so long that they are a burden.
func publicKey(m jwkset.JWKMarshal) (jwkset.JWK, error) {
	switch {
	case m.KTY == jwkset.KtyOct || m.K != "":
		return jwkset.JWK{}, errors.New("is symmetric, and must not be published: put it into JWT_SECRETS")
	case m.D != "":
		return jwkset.JWK{}, errors.New("is private, and must not be published: replace it")
	case m.USE != "" && m.USE != jwkset.UseSig, len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify):
		return jwkset.JWK{}, errors.New("is not for signatures")
	}
	// Certificates are not looked at: jwkset would fetch an x5u from wherever it points.
	clean := jwkset.JWKMarshal{KTY: m.KTY, CRV: m.CRV, X: m.X, Y: m.Y, N: m.N, E: m.E, KID: m.KID, ALG: m.ALG}
	key, err := jwkset.NewJWKFromMarshal(clean, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwkset.JWK{}, errors.New("cannot be read, or is of a type that is not supported")
	}
	var alg jwkset.ALG
	switch k := key.Key().(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 || n > 8192 {
			return jwkset.JWK{}, fmt.Errorf("is an RSA key of %d bits: 2048 to 8192 are taken", n)
		}
		alg = jwkset.AlgRS256
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			alg = jwkset.AlgES256
		}
	case ed25519.PublicKey:
		alg = jwkset.AlgEdDSA
	}
	if alg == "" || m.ALG != "" && m.ALG != alg {
		return jwkset.JWK{}, errors.New("is for an algorithm that is not taken: RS256, ES256 and EdDSA are")
	}
	clean.ALG = alg
	return jwkset.NewJWKFromMarshal(clean, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
}

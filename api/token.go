package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MinSecret is the fewest bytes of a secret: as many as an HS256 signature has.
const MinSecret = 32

var (
	errShortSecret = errors.New("a JWT secret must have at least 32 bytes: " +
		"set JWT_SECRET, for example to the output of `openssl rand -base64 48`")
	errNoKey = errors.New("no key for tokens: set JWT_SECRET, JWT_SECRETS, JWT_JWKS_URL or JWT_JWKS_FILE")
)

// leeway is how far the clocks of whoever made a token and of this process may differ.
const leeway = 30 * time.Second

// Secret is one of several keys of HS256. A token names it in its header, as kid.
type Secret struct {
	KID string
	Key []byte // at least MinSecret bytes
}

// verifier checks bearer tokens: exp required, nbf and iat not in the future. An algorithm is taken only if there is a key for it,
// and no key is tried with another algorithm than its own.
type verifier struct {
	secret  []byte            // for tokens that name none of secrets; may be empty
	secrets map[string][]byte // by kid
	jwks    *JWKS             // nil: none
	parser  *jwt.Parser
}

func newVerifier(c Config) (*verifier, error) {
	v := &verifier{secret: c.Secret, secrets: map[string][]byte{}, jwks: c.JWKS}
	var algorithms []string
	if len(c.Secret) > 0 || len(c.Secrets) > 0 {
		algorithms = append(algorithms, jwt.SigningMethodHS256.Alg())
	}
	if c.JWKS != nil {
		algorithms = append(algorithms, jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg(), jwt.SigningMethodEdDSA.Alg())
	}
	if len(algorithms) == 0 {
		return nil, errNoKey
	}
	if len(c.Secret) > 0 && len(c.Secret) < MinSecret {
		return nil, errShortSecret
	}
	for _, s := range c.Secrets {
		if _, twice := v.secrets[s.KID]; twice || s.KID == "" || len(s.Key) < MinSecret {
			return nil, fmt.Errorf("JWT_SECRETS: %w; each needs a kid of its own", errShortSecret)
		}
		v.secrets[s.KID] = s.Key
	}
	options := []jwt.ParserOption{jwt.WithValidMethods(algorithms), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding()}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	if c.Audience != "" {
		options = append(options, jwt.WithAudience(c.Audience))
	}
	v.parser = jwt.NewParser(options...)
	return v, nil
}

// caller returns who asks. Every token that is not good gives the same answer; the error's text is for the log, and holds
// nothing of the token.
func (v *verifier) caller(h http.Header) (caller, error) {
	given := h.Values("Authorization")
	if len(given) != 1 {
		return caller{}, fmt.Errorf("%w: %d Authorization headers", errUnauthorized, len(given))
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return caller{}, fmt.Errorf("%w: not a Bearer token", errUnauthorized)
	}
	who, _, err := v.holder(strings.TrimLeft(token, " "))
	return who, err
}

// holder returns who has a token, and until when it is good.
func (v *verifier) holder(token string) (who caller, expires time.Time, err error) {
	if err := checkHeader(token); err != nil {
		return caller{}, expires, fmt.Errorf("%w: %w", errUnauthorized, err)
	}
	var claims claims
	if _, err := v.parser.ParseWithClaims(token, &claims, v.key); err != nil {
		return caller{}, expires, fmt.Errorf("%w: %s", errUnauthorized, tokenFault(err))
	}
	return claims.caller, claims.ExpiresAt.Time, nil
}

// key finds the key of a token whose algorithm is one of those that are taken.
func (v *verifier) key(t *jwt.Token) (any, error) {
	if t.Method != jwt.SigningMethodHS256 {
		return v.jwks.key(t)
	}
	kid, _ := t.Header["kid"].(string)
	if key, ok := v.secrets[kid]; ok {
		return key, nil
	}
	if len(v.secret) == 0 {
		return nil, errors.New("no secret has this kid")
	}
	return v.secret, nil
}

// tokenFault says in fixed words what is wrong: the parser's own words may quote the token.
func tokenFault(err error) string {
	faults := []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenMalformed, "token is malformed"},
		{jwt.ErrTokenUnverifiable, "token cannot be verified"},
		{jwt.ErrTokenSignatureInvalid, "signature or algorithm is wrong"},
		{jwt.ErrTokenRequiredClaimMissing, "a required claim is missing"},
		{jwt.ErrTokenExpired, "token has expired"},
		{jwt.ErrTokenNotValidYet, "token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "token was issued in the future"},
		{jwt.ErrTokenInvalidIssuer, "token has another issuer"},
		{jwt.ErrTokenInvalidAudience, "token is for another audience"},
	}
	for _, f := range faults {
		if errors.Is(err, f.err) {
			return f.text
		}
	}
	return "token is not valid"
}

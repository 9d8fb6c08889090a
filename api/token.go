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

var errShortSecret = errors.New("the JWT secret must have at least 32 bytes: " +
	"set JWT_SECRET, for example to the output of `openssl rand -base64 48`")

// leeway is how far the clocks of whoever made a token and of this process may differ.
const leeway = 30 * time.Second

// verifier checks bearer tokens: HS256 and nothing else, exp required, nbf and iat not in the future.
type verifier struct {
	secret []byte
	parser *jwt.Parser
}

func newVerifier(c Config) (*verifier, error) {
	if len(c.Secret) < MinSecret {
		return nil, errShortSecret
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding()}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	if c.Audience != "" {
		options = append(options, jwt.WithAudience(c.Audience))
	}
	return &verifier{secret: c.Secret, parser: jwt.NewParser(options...)}, nil
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
	token = strings.TrimLeft(token, " ")
	if err := checkHeader(token); err != nil {
		return caller{}, fmt.Errorf("%w: %w", errUnauthorized, err)
	}
	var claims claims
	if _, err := v.parser.ParseWithClaims(token, &claims, v.key); err != nil {
		return caller{}, fmt.Errorf("%w: %s", errUnauthorized, tokenFault(err))
	}
	return claims.caller, nil
}

func (v *verifier) key(*jwt.Token) (any, error) { return v.secret, nil }

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

// TokenClaims of NewToken. Zero values mean the defaults.
type TokenClaims struct {
	Subject  string        // who asks; stands in the log. Default: none
	Issuer   string        // Default: none
	Audience string        // Default: none
	Lifetime time.Duration // Default 1 h
}

// NewToken makes a token that New with the same secret, issuer and audience takes.
func NewToken(secret []byte, c TokenClaims) (string, error) {
	if len(secret) < MinSecret {
		return "", errShortSecret
	}
	if c.Lifetime <= 0 {
		c.Lifetime = time.Hour
	}
	now := time.Now()
	claims := jwt.RegisteredClaims{Subject: c.Subject, Issuer: c.Issuer, IssuedAt: jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(c.Lifetime))}
	if c.Audience != "" {
		claims.Audience = jwt.ClaimStrings{c.Audience}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TokenClaims of NewToken. Zero values mean the defaults.
type TokenClaims struct {
	Subject  string        // who asks; stands in the log. Default: none
	Issuer   string        // Default: none
	Audience string        // Default: none
	Lifetime time.Duration // Default 1 h
	Scopes   []string      // what the token allows. Default: no claim; empty but not nil: nothing
	Queues   []string      // which queues it may touch. Default: all; empty but not nil: none
	KID      string        // which of Config.Secrets signs it. Default: it is signed with Config.Secret
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
	claims := jwt.MapClaims{"iat": now.Unix(), "exp": now.Add(c.Lifetime).Unix()}
	for name, value := range map[string]string{"sub": c.Subject, "iss": c.Issuer, "aud": c.Audience} {
		if value != "" {
			claims[name] = value
		}
	}
	if c.Scopes != nil {
		claims["scope"] = strings.Join(c.Scopes, " ")
	}
	if c.Queues != nil {
		claims["queues"] = c.Queues
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	if c.KID != "" {
		unsigned.Header["kid"] = c.KID
	}
	token, err := unsigned.SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

var errNoSecret = errors.New("there is no secret to sign with: set JWT_SECRET to that of the API, or JWT_SECRETS to those of the API; " +
	"where it takes tokens of a JWKS, get one from their issuer")

func tokenCommand(env settings.Lookup, code *int) *cobra.Command {
	var claims api.TokenClaims
	var scope string
	c := &cobra.Command{
		Use:   "token",
		Short: "Print a token for development, good for 24 hours",
		Long: "Print a token (JWT) for development, good for 24 hours, and nothing else. It carries every scope, for all queues, unless flags\n" +
			"narrow it. It is signed with the first of JWT_SECRETS, else with JWT_SECRET, which may be left out only where APP_ENV is\n" +
			"develop, and names JWT_ISSUER and JWT_AUDIENCE if those are set.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			claims.Scopes = strings.Fields(scope)
			if err := checkClaims(claims); err != nil {
				return err
			}
			if !c.Flags().Changed("queues") {
				claims.Queues = nil
			}
			*code = printToken(env, claims, c.OutOrStdout(), c.ErrOrStderr())
			return nil
		},
	}
	c.Flags().StringVar(&claims.Subject, "sub", "dev", "whom the token names as its subject")
	c.Flags().StringVar(&scope, "scope", strings.Join(api.Scopes(), " "), "what the token allows: scopes with blanks between")
	c.Flags().StringSliceVar(&claims.Queues, "queues", nil, "the queues that it may see and touch, with commas between (default all)")
	c.Flags().StringVar(&claims.KID, "kid", "", "which of JWT_SECRETS signs it (default the first)")
	return c
}

// checkClaims refuses what the API would not know, which is a slip of the hand.
func checkClaims(c api.TokenClaims) error {
	for _, scope := range c.Scopes {
		if !slices.Contains(api.Scopes(), scope) {
			return fmt.Errorf("there is no scope %q: the scopes are %s", scope, strings.Join(api.Scopes(), " "))
		}
	}
	for _, name := range c.Queues {
		if name == "" || (queue.NewJob{ID: "x", Queue: name}).Validate() != nil {
			return fmt.Errorf("%q cannot be the name of a queue", name)
		}
	}
	return nil
}

func printToken(env settings.Lookup, claims api.TokenClaims, stdout, stderr io.Writer) int {
	s, err := settings.Read(env, settings.Token)
	if err != nil {
		fmt.Fprintf(stderr, "punctual token: cannot make one with these settings:\n%s\n", err)
		return exitUsage
	}
	token, err := (&process{settings: s}).newToken(claims)
	if err == nil {
		_, err = fmt.Fprintln(stdout, token)
	}
	if err != nil {
		fmt.Fprintf(stderr, "punctual token: %s\n", err)
		return exitFailed
	}
	return exitOK
}

// newToken makes a token that the API of these settings takes for a day. Of the claims, those that the settings say are filled in.
func (p *process) newToken(claims api.TokenClaims) (string, error) {
	s := p.settings
	signer, ok := s.Signer(claims.KID)
	switch {
	case !ok && claims.KID != "":
		return "", fmt.Errorf("JWT_SECRETS has no kid %q", claims.KID)
	case !ok:
		return "", errNoSecret
	}
	claims.KID, claims.Issuer, claims.Audience, claims.Lifetime = signer.KID, s.JWTIssuer, s.JWTAudience, 24*time.Hour
	return api.NewToken([]byte(signer.Secret), claims)
}

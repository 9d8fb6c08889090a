package settings

import (
	"fmt"
	"net"
)

// Program is who reads the settings: not every program needs a secret.
type Program int

const (
	API    Program = iota // checks tokens: it does not start without a secret that only its users know
	Worker                // checks no tokens, and should not be given the secret of those who do
	Token                 // signs tokens, and says for itself why it has no secret
)

const (
	minSecret = 32 // bytes
	// developSecret is public: it stands here. It is good for nothing but a first look on one's own machine.
	developSecret = "punctual-develop-secret-that-everybody-knows"

	newSecret = "set JWT_SECRET to at least 32 bytes that nobody else knows, such as the output of: openssl rand -base64 32"
	otherKeys = "; JWT_SECRETS, JWT_JWKS_URL and JWT_JWKS_FILE are other ways to keys"
)

// rule is what must hold between settings. check fills in what follows from others, and returns a sentence if it is broken.
type rule struct {
	about []string
	check func(*Settings, Program) string
}

var rules = []rule{
	{[]string{"QUEUES", "WORKER_CONCURRENCY"}, func(s *Settings, _ Program) string {
		for i := range s.Queues {
			if s.Queues[i].Slots == 0 {
				s.Queues[i].Slots = s.WorkerConcurrency
			}
		}
		return ""
	}},
	{[]string{"RETRY_BASE", "RETRY_CAP"}, func(s *Settings, _ Program) string {
		if s.RetryCap < s.RetryBase {
			return fmt.Sprintf("RETRY_CAP is %s, but must not be less than RETRY_BASE, which is %s.", s.RetryCap, s.RetryBase)
		}
		return ""
	}},
	{[]string{"HEARTBEAT_INTERVAL", "HEARTBEAT_TTL"}, func(s *Settings, _ Program) string {
		if s.HeartbeatTTL < 5*s.HeartbeatInterval {
			return fmt.Sprintf("HEARTBEAT_TTL is %s, but must be at least five times HEARTBEAT_INTERVAL, which is %s: %s or more.",
				s.HeartbeatTTL, s.HeartbeatInterval, 5*s.HeartbeatInterval)
		}
		return ""
	}},
	{[]string{"APP_ENV", "HTTP_ADDR", "JWT_SECRET", "JWT_SECRETS", "JWT_JWKS_URL", "JWT_JWKS_FILE"}, checkSecret},
	{[]string{"JWT_JWKS_URL", "JWT_JWKS_FILE"}, checkJWKS},
}

// checkJWKS: an issuer of public keys makes tokens for others as well, and all are signed by the same keys.
func checkJWKS(s *Settings, program Program) string {
	name := "JWT_JWKS_URL"
	if s.JWKSFile != "" {
		name = "JWT_JWKS_FILE"
	}
	switch {
	case s.JWKSURL == "" && s.JWKSFile == "":
		return ""
	case s.JWKSURL != "" && s.JWKSFile != "":
		return "JWT_JWKS_URL and JWT_JWKS_FILE are both set, but the keys must come from one place: leave one of them out."
	case program == API && (s.JWTIssuer == "" || s.JWTAudience == ""):
		return name + " is set, so JWT_ISSUER and JWT_AUDIENCE must be, too: else a token that its issuer made for another service would do."
	}
	return ""
}

func checkSecret(s *Settings, program Program) string {
	none := s.JWTSecret == "" && len(s.JWTSecrets) == 0 && s.JWKSURL == "" && s.JWKSFile == ""
	if none && s.Env == Develop {
		s.JWTSecret, none = developSecret, false
	}
	public := s.JWTSecret == developSecret
	switch {
	case none && program == API:
		return fmt.Sprintf("JWT_SECRET is not set, but must be where APP_ENV is %s: %s.", s.Env, newSecret+otherKeys)
	case public && s.Env != Develop:
		return fmt.Sprintf("JWT_SECRET is the one built in for develop, which everybody knows, but APP_ENV is %s: %s.", s.Env, newSecret)
	case public && program != Worker && !loopback(s.HTTPAddr):
		return fmt.Sprintf("HTTP_ADDR is %q, which other machines may reach, but JWT_SECRET is the one built in for develop, "+
			"which everybody knows: %s; or set HTTP_ADDR to 127.0.0.1:8080.", s.HTTPAddr, newSecret)
	}
	return ""
}

// loopback tells whether only this machine can reach an address. A name other than localhost may be anything.
func loopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

const (
	maxRate = 1_000_000
	// leastMaxDelay is the delay of a job that names none: it must not be refused.
	leastMaxDelay = 180 * time.Second
)

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// parseSecrets reads kid:secret,kid2:secret2. No error repeats any of it: a comma within a secret would put half of that into it.
func parseSecrets(s *Settings, value string) error {
	const what = "must be kid:secret, or several with commas between, such as 2027a:...,2026b:..., a kid of [A-Za-z0-9._-]{1,64}, each once " +
		"(not shown, it holds secrets)"
	var secrets []NamedSecret
	seen := map[string]bool{}
	for i, part := range strings.Split(value, ",") {
		kid, secret, ok := strings.Cut(strings.TrimSpace(part), ":")
		switch {
		case !ok || !keyID.MatchString(kid) || seen[kid] || strings.ContainsAny(secret, " \t\r\n"):
			return fmt.Errorf("%s; number %d is not like that", what, i+1)
		case len(secret) < minSecret:
			return fmt.Errorf("has a secret of %d bytes as number %d, but each must have at least %d, such as the output of: openssl rand -base64 32",
				len(secret), i+1, minSecret)
		case secret == developSecret:
			return errors.New("must not hold the secret built in for develop, which everybody knows")
		}
		seen[kid] = true
		secrets = append(secrets, NamedSecret{KID: kid, Secret: Secret(secret)})
	}
	s.JWTSecrets = secrets
	return nil
}

// parseJWKSURL takes http only where nobody is between: whoever could change the keys on their way could make tokens.
func parseJWKSURL(s *Settings, value string) error {
	u, err := url.Parse(value)
	local := err == nil && u.Scheme == "http" && loopback(net.JoinHostPort(u.Hostname(), "0"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !local {
		return errors.New("must be an https:// URL without a user, or http:// on loopback (not shown, it may hold a secret)")
	}
	s.JWKSURL = Secret(value)
	return nil
}

// parseRate reads 20/s or 20/s:40.
func parseRate(s *Settings, value string) error {
	var n, burst int
	rate, text, bounded := strings.Cut(value, ":")
	count, unit, _ := strings.Cut(rate, "/")
	seconds, ok := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	ok = ok && number(&n, count, 1, maxRate) == nil
	if burst = n; bounded {
		ok = ok && number(&burst, text, 1, maxRate) == nil
	}
	if !ok {
		return wanted(value, "a number of requests per s, m or h, such as 20/s, with or without a burst, such as 20/s:40; numbers from 1 to "+strconv.Itoa(maxRate))
	}
	s.RateLimit = Rate{PerSecond: float64(n) / seconds, Burst: burst}
	return nil
}

func parseMaxDelay(s *Settings, value string) error {
	var d time.Duration
	if duration(&d, value, leastMaxDelay) != nil || d > queue.MaxDelay {
		return wanted(value, fmt.Sprintf("a duration from %s, the delay of a job that names none, to %s", leastMaxDelay, queue.MaxDelay))
	}
	s.MaxDelay = d
	return nil
}

package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

const (
	jwksEvery   = 10 * time.Minute // how often the keys are read again
	jwksRetry   = 15 * time.Second // and after a failure
	jwksSeldom  = time.Minute      // a token with an unknown kid has them read again at most so often
	jwksTimeout = 5 * time.Second
	jwksWait    = 100 * time.Millisecond // how long a request waits for that: with limitTimeout and queueTimeout, a second at most
)

// JWKSConfig says where the keys are: one of the two.
type JWKSConfig struct {
	URL    string // http or https; it is fetched without following redirects
	File   string
	Logger zerolog.Logger // default: no log
}

// JWKS are the public keys of whoever makes the tokens (RFC 7517). They are read by Run, and once more, at most once a minute,
// when a token names a kid that is not among them. While they cannot be read, the last ones that could be count; while there are
// none, no token is good that needs one. Keys that must not be used are left out, see publicKey.
type JWKS struct {
	read   func(context.Context) ([]byte, error)
	from   string // for the log
	log    zerolog.Logger
	keys   *jwkset.MemoryJWKSet
	find   keyfunc.Keyfunc
	seldom *rate.Limiter
	now    func() time.Time
	wait   time.Duration

	mu      sync.Mutex
	running chan struct{} // closed when the reading that is under way is over; nil: none is
	failed  bool          // the last one
	loaded  bool          // there are keys
	told    string        // which keys were left out, as the log has told it
}

// NewJWKS reads nothing yet: whoever publishes the keys need not be there.
func NewJWKS(c JWKSConfig) (*JWKS, error) {
	k := &JWKS{log: c.Logger, keys: jwkset.NewMemoryStorage(), seldom: rate.NewLimiter(rate.Every(jwksSeldom), 1), now: time.Now, wait: jwksWait}
	var err error
	switch {
	case (c.URL == "") == (c.File == ""):
		return nil, errors.New("the keys come from a URL or from a file: set one of JWT_JWKS_URL and JWT_JWKS_FILE")
	case c.URL != "":
		k.read, k.from, err = fromURL(c.URL)
	default:
		k.read, k.from = fromFile(c.File), c.File
	}
	if err != nil {
		return nil, err
	}
	k.find, err = keyfunc.New(keyfunc.Options{Storage: k.keys})
	return k, err
}

// Run reads the keys, and reads them again from time to time, until ctx ends. It never fails: it logs what does, and what is over.
func (k *JWKS) Run(ctx context.Context) error {
	for {
		k.mu.Lock()
		done := k.start()
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-done:
		}
		pause := time.NewTimer(k.pause())
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

func (k *JWKS) pause() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed {
		return jwksRetry
	}
	return jwksEvery
}

// key finds the key of a token. Each is good for one algorithm, which keyfunc compares with that of the token.
func (k *JWKS) key(t *jwt.Token) (any, error) {
	key, err := k.find.Keyfunc(t)
	if errors.Is(err, jwkset.ErrKeyNotFound) && k.again() {
		return k.find.Keyfunc(t)
	}
	return key, err
}

// again has the keys read once more, for a kid that is not among them, and tells whether they have been. It waits for what is
// under way already; a reading that takes longer than a request may wait goes on for those that follow.
func (k *JWKS) again() bool {
	k.mu.Lock()
	if k.running == nil && !k.seldom.AllowN(k.now(), 1) {
		k.mu.Unlock()
		return false
	}
	done := k.start()
	k.mu.Unlock()
	waited := time.NewTimer(k.wait)
	defer waited.Stop()
	select {
	case <-done:
		return true
	case <-waited.C:
		return false
	}
}

// start begins to read the keys unless that is under way; k.mu is held. No request's context ends it: others may wait as well.
func (k *JWKS) start() <-chan struct{} {
	if k.running != nil {
		return k.running
	}
	done := make(chan struct{})
	k.running = done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), jwksTimeout)
		defer cancel()
		keys, leftOut, err := k.load(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if err == nil {
			_ = k.keys.KeyReplaceAll(ctx, keys) // memory does not fail
		}
		k.tell(len(keys), leftOut, err)
		k.running = nil
		close(done)
	}()
	return done
}

func (k *JWKS) load(ctx context.Context) ([]jwkset.JWK, string, error) {
	text, err := k.read(ctx)
	if err != nil {
		return nil, "", err
	}
	return parseJWKS(text)
}

// tell logs what differs from the last time; k.mu is held.
func (k *JWKS) tell(n int, leftOut string, err error) {
	switch {
	case err != nil && !k.failed:
		k.log.Warn().Str("from", k.from).Err(err).Msg("cannot read the keys of the tokens: the last ones that could be read count")
	case err == nil && (k.failed || !k.loaded || leftOut != k.told):
		line := k.log.Info()
		if leftOut != "" {
			line = k.log.Warn().Str("left_out", leftOut)
		}
		line.Str("from", k.from).Int("keys", n).Msg("read the keys of the tokens")
	}
	if k.failed = err != nil; err == nil {
		k.loaded, k.told = true, leftOut
	}
}

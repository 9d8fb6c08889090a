package app

import (
	"context"
	"io"
	"net"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// Server is the API process: it takes jobs in over HTTP, and takes back the jobs of dead workers.
func Server(ctx context.Context, args []string, env settings.Lookup, stdout, stderr io.Writer) int {
	if code, ok := noArguments("server", "takes jobs in over HTTP and takes back the jobs of dead workers", args, stdout, stderr); !ok {
		return code
	}
	return spec{name: "server", kind: settings.API, work: serve}.run(ctx, env, stdout, stderr)
}

func serve(ctx context.Context, p *process) error {
	l, err := listen("HTTP_ADDR", p.settings.HTTPAddr)
	if err != nil {
		return err
	}
	defer l.Close()
	q, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	p.started("server").Str("http", l.Addr().String()).Msg("takes jobs in")
	return p.serveAPI(ctx, l, q)
}

// serveAPI is the work of the API process on a listener and a client that the caller closes.
func (p *process) serveAPI(ctx context.Context, l net.Listener, q *queue.Client) error {
	config, err := p.apiConfig()
	if err != nil {
		return err
	}
	if config.UI != nil {
		config.UI.AutoSignIn = p.autoSignIn(l.Addr())
	}
	closing := make(chan struct{})
	config.Closing = closing
	handler, err := api.New(q, config)
	if err != nil {
		return err
	}
	parts := []func(context.Context) error{
		func(ctx context.Context) error { return p.drainHTTP(ctx, l, p.withMetrics(handler), closing) },
		worker.NewReaper(q, p.settings.Timing(), p.log).Run,
		func(ctx context.Context) error { return watchRedis(ctx, q.Health, p.log, healthEvery) },
	}
	if config.JWKS != nil {
		parts = append(parts, config.JWKS.Run)
	}
	return together(ctx, parts...)
}

// apiConfig is the settings as the API takes them.
func (p *process) apiConfig() (api.Config, error) {
	s := p.settings
	c := api.Config{Secret: []byte(s.JWTSecret), Issuer: s.JWTIssuer, Audience: s.JWTAudience, Logger: p.log,
		RateLimit: api.Rate(s.RateLimit), MaxDelay: s.MaxDelay, Observe: p.metrics.Request}
	if s.UI != "off" {
		c.UI = &api.UI{ReadOnly: s.UIReadOnly, Build: p.build}
	}
	for _, named := range s.JWTSecrets {
		c.Secrets = append(c.Secrets, api.Secret{KID: named.KID, Key: []byte(named.Secret)})
	}
	if s.JWKSURL == "" && s.JWKSFile == "" {
		return c, nil
	}
	var err error
	c.JWKS, err = api.NewJWKS(api.JWKSConfig{URL: string(s.JWKSURL), File: s.JWKSFile, Logger: p.log})
	return c, err
}

// autoSignIn makes tokens for browsers on this machine, on a develop server that no other machine can reach; nil elsewhere, and where
// there is nothing to sign with.
func (p *process) autoSignIn(listens net.Addr) func() (string, error) {
	at, ok := listens.(*net.TCPAddr)
	if _, signs := p.settings.Signer(""); !signs || !ok || !at.IP.IsLoopback() || p.settings.Env != settings.Develop {
		return nil
	}
	return func() (string, error) { return p.newToken(api.TokenClaims{Subject: "dev", Scopes: api.Scopes()}) }
}

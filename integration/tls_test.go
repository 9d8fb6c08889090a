package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// tlsPassword is that of the user punctual, and in the name of the directory of the certificates: nothing may show it.
const tlsPassword = "hunter2"

// pki is a directory of PEM files: NAME.pem, and NAME.key of what is no authority.
type pki struct{ dir string }

func (p pki) file(name string) string { return filepath.Join(p.dir, name) }

// issuer signs certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newPKI makes the authorities ours and foreign, and of ours the servers good and expired and the client client; stranger is a
// client of foreign.
func newPKI(t *testing.T) pki {
	t.Helper()
	p := pki{filepath.Join(t.TempDir(), tlsPassword)}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(time.Hour)
	authority := &x509.Certificate{NotAfter: hour, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ours, foreign := p.issue(t, "ours", *authority, nil), p.issue(t, "foreign", *authority, nil)
	leaf := func(by issuer, name string, until time.Time, use x509.ExtKeyUsage) {
		p.issue(t, name, x509.Certificate{NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}}, &by)
	}
	leaf(ours, "good", hour, x509.ExtKeyUsageServerAuth)
	leaf(ours, "expired", time.Now().Add(-time.Minute), x509.ExtKeyUsageServerAuth)
	leaf(ours, "client", hour, x509.ExtKeyUsageClientAuth)
	leaf(foreign, "stranger", hour, x509.ExtKeyUsageClientAuth)
	return p
}

// issue completes a certificate, signs it by an issuer or by itself, and writes it and its key.
func (p pki) issue(t *testing.T, name string, c x509.Certificate, by *issuer) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore = time.Now().Add(-2 * time.Hour)
	if by == nil {
		by = &issuer{&c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(p.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return issuer{made, key}
}

// needTLS ends a test where the redis-server at hand cannot speak TLS.
func needTLS(t *testing.T) {
	t.Helper()
	if !slices.Contains(redistest.Backends(t), redistest.Process) {
		t.Skip("needs a redis-server process, which can read the certificates")
	}
	options, err := redistest.OwnOn(t, redistest.Process).Client().ConfigGet(t.Context(), "tls-port").Result()
	if err != nil {
		t.Fatal(err)
	}
	if len(options) == 0 {
		t.Skip("this redis-server was built without TLS: it does not know tls-port")
	}
}

// tlsRedis is a Redis that asks for client certificates on a port for TLS. The plain port beside it is for redistest.
func tlsRedis(t *testing.T, p pki, certificate string) (s *redistest.Server, addr string) {
	t.Helper()
	addr = programs.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	s = redistest.OwnOn(t, redistest.Process, "--tls-port", port, "--tls-cert-file", p.file(certificate+".pem"),
		"--tls-key-file", p.file(certificate+".key"), "--tls-ca-cert-file", p.file("ours.pem"), "--tls-auth-clients", "yes")
	if err := s.Client().Do(t.Context(), "ACL", "SETUSER", "punctual", "on", ">"+tlsPassword, "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	return s, addr
}

// url is a REDIS_URL that trusts ca and presents the certificate of client, if any.
func (p pki) url(addr, ca, client string) string {
	files := url.Values{"ca": {p.file(ca + ".pem")}}
	if client != "" {
		files.Set("cert", p.file(client+".pem"))
		files.Set("key", p.file(client+".key"))
	}
	return "rediss://punctual:" + tlsPassword + "@" + addr + "/0?" + files.Encode()
}

// TestRedisTLS: a Redis that speaks TLS and asks for client certificates serves clients, workers and the API.
func TestRedisTLS(t *testing.T) {
	t.Parallel()
	needTLS(t)
	p := newPKI(t)
	s, addr := tlsRedis(t, p, "good")
	url := p.url(addr, "ours", "client")
	c, q := open(t, url), redistest.Queue(t)
	if problems := c.Health(t.Context()); len(problems) > 0 {
		t.Errorf("health: %v", problems)
	}
	made := enqueue(t, c, queue.NewJob{Queue: q})
	l, err := c.Link(q)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Heartbeat(t.Context(), queue.WorkerInfo{ID: "w"}, queue.Timing{Interval: time.Second, TTL: 10 * time.Second}, true); err != nil {
		t.Fatalf("heartbeat: %v", err)
	}
	done := l.Exchange(t.Context(), queue.Exchange{Worker: "w", Claim: 1, Number: 1, Lease: time.Second})
	if done.ClaimErr != nil || len(done.Claims.Jobs) != 1 || done.Claims.Jobs[0].Job.ID != made.ID {
		t.Fatalf("claim: %+v, want job %s", done, made.ID)
	}
	done = l.Exchange(t.Context(), queue.Exchange{Worker: "w", Number: 2,
		Results: []queue.Result{{Element: done.Claims.Jobs[0].Element, Outcome: queue.OutcomeDone}}})
	if done.SettleErr != nil || stat(t, s.Client(), q, "done") != 1 {
		t.Errorf("settle: %+v", done)
	}

	api := startServer(t, s, "REDIS_URL="+url)
	api.awaitHTTP(t, "/readyz", 200, 10*time.Second)
	api.mustRegister(t, `{"message": "over TLS"}`)
	expectNoSecret(t, p, "the log of the API", api.stdout.String()+api.stderr.String())
}

// TestRedisTLSRefusals: where the two do not trust each other nothing has happened, and the text says why, and no secret.
func TestRedisTLSRefusals(t *testing.T) {
	t.Parallel()
	needTLS(t)
	p := newPKI(t)
	_, good := tlsRedis(t, p, "good")
	_, expired := tlsRedis(t, p, "expired")
	for _, c := range []struct{ name, url, says string }{
		{"another CA", p.url(good, "foreign", "client"), "certificate signed by unknown authority"},
		{"no client certificate", p.url(good, "ours", ""), "certificate required"},
		{"no client certificate and no user", strings.Replace(p.url(good, "ours", ""), "punctual:"+tlsPassword+"@", "", 1), "certificate required"},
		{"client certificate of another CA", p.url(good, "ours", "stranger"), "unknown certificate authority"},
		{"expired server certificate", p.url(expired, "ours", "client"), "certificate has expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, q := open(t, c.url), redistest.Queue(t)
			l, err := client.Link(q)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			refused := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v, want ErrUnavailable that says %q", what, err, c.says)
				}
				if err != nil {
					expectNoSecret(t, p, what, err.Error())
				}
			}
			for range 10 { // what the server says of a client races with the end of the connection
				_, err = client.Enqueue(t.Context(), queue.NewJob{Queue: q})
				refused("enqueue", err)
				_, err = l.Heartbeat(t.Context(), queue.WorkerInfo{ID: "w"}, queue.Timing{Interval: time.Second, TTL: 10 * time.Second}, true)
				refused("heartbeat", err)
			}
		})
	}
}

// expectNoSecret: text shows neither the password, nor where the certificates are, nor what is in them.
func expectNoSecret(t *testing.T, p pki, what, text string) {
	t.Helper()
	files, err := filepath.Glob(p.file("*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no certificates: %v", err)
	}
	secrets := []string{tlsPassword, p.dir}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, strings.Split(string(content), "\n")[:2]...)
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %q: %s", what, secret, text)
		}
	}
}

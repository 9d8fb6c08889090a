package queue_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// tlsFront speaks TLS for a Redis that does not.
type tlsFront struct {
	addr  string
	roots *x509.CertPool
	mu    sync.Mutex
	conns []net.Conn
}

func newTLSFront(t *testing.T, target string) *tlsFront {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	f := &tlsFront{addr: l.Addr().String(), roots: x509.NewCertPool()}
	f.roots.AddCert(parsed)
	t.Cleanup(func() { _ = l.Close(); f.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			f.mu.Lock()
			f.conns = append(f.conns, client, server)
			f.mu.Unlock()
			go func() { _, _ = io.Copy(server, client) }()
			go func() { _, _ = io.Copy(client, server) }()
		}
	}()
	return f
}

// cut ends all connections, as a restart of Redis does.
func (f *tlsFront) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.conns = nil
}

func TestTLS(t *testing.T) {
	s := redistest.Any(t)
	f := newTLSFront(t, s.Addr())
	url := "rediss://" + f.addr + "/0"
	r := rigAt(t, s, url, queue.Options{Timeout: bound, TLS: &tls.Config{RootCAs: f.roots}})
	r.put(queue.NewJob{})

	// A connection that ended while it was idle must not cost the next job an unknown outcome: not under TLS either.
	f.cut()
	r.put(queue.NewJob{})

	stranger := open(t, url, bound) // verifies against the system's roots
	_, err := stranger.Enqueue(t.Context(), queue.NewJob{Queue: r.name})
	expectUnavailable(t, "an unknown certificate", err)
}

package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificates are files of PEM for a Redis on 127.0.0.1. All that are of a server go with one key.
type certificates struct{ dir string }

func (c certificates) file(name string) string { return filepath.Join(c.dir, name+".pem") }

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newCertificates makes ca, key, and with them the certificates good, expired, and foreign: signed by another authority.
func newCertificates(t testing.TB) certificates {
	t.Helper()
	c := certificates{t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "key", "PRIVATE KEY", der)
	ours, foreign, now := c.authority(t, "ca"), c.authority(t, "foreign-ca"), time.Now()
	c.server(t, "good", ours, key, now.Add(time.Hour))
	c.server(t, "expired", ours, key, now.Add(-time.Minute))
	c.server(t, "foreign", foreign, key, now.Add(time.Hour))
	return c
}

func (c certificates) authority(t testing.TB, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour),
		NotAfter: time.Now().Add(2 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	return authority{c.sign(t, name, template, template, key, key), key}
}

func (c certificates) server(t testing.TB, name string, by authority, key *ecdsa.PrivateKey, until time.Time) {
	t.Helper()
	c.sign(t, name, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, by.certificate, key, by.key)
}

func (c certificates) sign(t testing.TB, name string, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, name, "CERTIFICATE", der)
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (c certificates) write(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(c.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

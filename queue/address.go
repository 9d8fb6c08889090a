package queue

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The topologies, as the scheme of a URL names them behind its plus sign.
const (
	standalone = ""
	sentinel   = "sentinel"
	onCluster  = "cluster"
)

// address is what a URL says: where Redis is, and how to talk to it.
type address struct {
	topology string
	hosts    []string       // host:port of the server, of the sentinels, or of some nodes of the Cluster
	opts     *redis.Options // of a server: user, password, database, TLS
	master   string         // the name by which the sentinels know the servers
	watchers struct{ user, password string }
}

// Hosts reads a URL as Open does and returns its hosts, and nothing that might be secret: what may be shown of it.
func Hosts(rawURL string) (string, error) {
	a, err := parseURL(rawURL)
	if err != nil {
		return "", err
	}
	return strings.Join(a.hosts, ","), nil
}

var errURL = errors.New("redis URL cannot be read: it looks like redis://user:password@127.0.0.1:6379/0, " +
	"rediss://... for TLS, redis+sentinel://host:26379,host:26379/master-name/0 or redis+cluster://host:6379,host:6379, " +
	"special characters in the password written as %2F for /, %40 for @ and the like")

// parseURL reads the URL without ever repeating a part of it in an error, not even what net/url says of it: any part may
// be one of a password.
func parseURL(raw string) (*address, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	plain, topology, plus := strings.Cut(scheme, "+")
	if plain != "redis" && plain != "rediss" || plus && topology != sentinel && topology != onCluster {
		return nil, errURL
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	user := rest[:strings.LastIndex(rest[:end], "@")+1]
	a := &address{topology: topology, hosts: strings.Split(rest[len(user):end], ",")}
	u, err := url.Parse(plain + "://" + user + a.hosts[0] + rest[end:]) // net/url takes one host only
	if err != nil || !a.checkHosts() {
		return nil, errURL
	}
	if u.Path, err = a.path(u.Path); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	take := func(name string) string { defer query.Del(name); return query.Get(name) }
	ca, cert, key := take("ca"), take("cert"), take("key")
	if topology == sentinel {
		a.watchers.user, a.watchers.password = take("sentinel_username"), take("sentinel_password")
	}
	u.RawQuery = query.Encode()
	if a.opts, err = redis.ParseURL(u.String()); err != nil {
		return nil, errURL
	}
	return a, a.secure(ca, cert, key)
}

// checkHosts completes the hosts by the default port.
func (a *address) checkHosts() bool {
	usual := "6379"
	if a.topology == sentinel {
		usual = "26379"
	}
	for i, host := range a.hosts {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return false
		}
		port := cmp.Or(u.Port(), usual)
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		a.hosts[i] = net.JoinHostPort(u.Hostname(), port)
	}
	return a.topology != standalone || len(a.hosts) == 1
}

var databasePath = regexp.MustCompile(`^(/[0-9]{0,9})?$`)

// path takes the master's name out of the path and returns what is left: the database.
func (a *address) path(path string) (string, error) {
	if a.topology == sentinel {
		name, database, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if a.master, path = name, ""; more {
			path = "/" + database
		}
		if name == "" {
			return "", errURL
		}
	}
	if !databasePath.MatchString(path) || a.topology == onCluster && strings.Trim(path, "/0") != "" { // a Cluster has database 0 only
		return "", errURL
	}
	return path, nil
}

// secure sets TLS up: whom to trust, and who we are.
func (a *address) secure(ca, cert, key string) error {
	t := a.opts.TLSConfig
	switch {
	case t == nil && ca+cert+key != "":
		return errors.New("redis URL: ca, cert and key are for rediss://")
	case t == nil:
		return nil
	case (cert == "") != (key == ""):
		return errors.New("redis URL: cert and key go together")
	}
	if a.topology != standalone {
		t.ServerName = "" // each server is verified by the host that it is dialed at
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return fileError("ca", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return fileError("ca", errors.New("it holds no certificate in PEM form"))
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fileError("cert or key", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// fileError leaves out the file's name, which is a part of the URL.
func fileError(which string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return errors.New("redis URL: the file of " + which + " cannot be used: " + err.Error())
}

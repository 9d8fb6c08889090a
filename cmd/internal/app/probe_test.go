package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbe(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte("{\"status\":\"\x1b\"}\n"))
	}))
	defer s.Close()
	for _, c := range []struct {
		url  string
		code int
		says string
	}{
		{s.URL + "/livez", exitOK, "status"},
		{s.URL + "/readyz", exitFailed, `answered 503 "{\"status\":\"\x1b\"}"`},
		{"http://127.0.0.1:1/livez", exitFailed, "127.0.0.1:1"},
		{"http://[::1/livez", exitFailed, "give a URL such as"},
	} {
		var stdout, stderr output
		code := Punctual(t.Context(), []string{"probe", c.url}, env(), &stdout, &stderr)
		if said := stdout.String() + stderr.String(); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%s: exit %d, says %q", c.url, code, said)
		}
		if silent := stdout.String() == ""; silent != (c.code != exitOK) {
			t.Errorf("%s: prints %q", c.url, stdout.String())
		}
	}
}

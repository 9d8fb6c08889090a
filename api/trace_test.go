package api

import (
	"net/http"
	"strings"
	"testing"
)

func TestTraceParent(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for given, want := range map[string]string{
		good:            good,
		"cc" + good[2:]: good,
		"cc" + good[2:] + "-what the future brings": good,
		"ff" + good[2:]:       "",
		good + "-more":        "",
		good[:len(good)-1]:    "",
		" " + good:            "",
		strings.ToUpper(good): "",
		"":                    "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":       "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":       "",
		"cc" + good[2:] + "-" + strings.Repeat("x", 600):                "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\nx: y": "",
		"00-4bf92f3577b34da6a3ce929d0e0e47\"6-00f067aa0ba902b7-01":      "",
	} {
		if got := traceParent(http.Header{"Traceparent": {given}}); got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
	}
	if got := traceParent(http.Header{}); got != "" {
		t.Errorf("no header became %q", got)
	}
	if got := traceParent(http.Header{"Traceparent": {good, good}}); got != "" {
		t.Errorf("two headers became %q", got)
	}
}

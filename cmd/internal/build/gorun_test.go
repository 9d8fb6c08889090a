package build

import (
	"strings"
	"testing"
)

func TestByGoRun(t *testing.T) {
	for path, want := range map[string]bool{
		"/tmp/go-build2202987190/b001/exe/main": true,
		"/home/me/.cache/go-build/49/495a6147768172c5cb3d5c7b421e41bf991a08ed3d4398a431abdc091a632af8-d/main": true,
		"/var/folders/x/T/go-build1/b001/exe/server":                                                          true,
		"/ci/gocache/0f/" + strings.Repeat("0f", 32) + "-d/server":                                            true,
		"/usr/local/bin/server":        false,
		"/tmp/go-build1/b001/app.test": false,
		"/home/me/go-build/exe/server": false,
		"/srv/49/server":               false,
		"":                             false,
	} {
		if got := ByGoRun(path); got != want {
			t.Errorf("ByGoRun(%s) = %v, want %v", path, got, want)
		}
	}
}

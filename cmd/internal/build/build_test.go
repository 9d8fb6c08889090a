package build

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestIdentify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "executable")
	if err := os.WriteFile(file, []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("code")))[:12]
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "abc123"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, c := range []struct {
		stamps []debug.BuildSetting
		file   string
		want   string
	}{
		{nil, file, "sha256:" + hash},
		{[]debug.BuildSetting{revision, clean}, file, "abc123"},
		{[]debug.BuildSetting{revision, dirty}, file, "abc123+dirty." + hash},
		{nil, file + ".gone", "sha256:unknown"},
	} {
		if got := identify(c.stamps, c.file); got != c.want {
			t.Errorf("identify(%v, %s) = %s, want %s", c.stamps, c.file, got, c.want)
		}
	}
	if got, again := ID(), ID(); got != again || got == "sha256:unknown" {
		t.Errorf("this executable is %s, then %s", got, again)
	}
}

// Package build says which build of a program this is.
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"runtime/debug"
)

// ID tells builds of this program apart: the revision it was built from, or a hash of the executable where none was
// stamped (go run stamps none). A build from an edited tree has both: its revision alone would not tell it apart.
func ID() string {
	var stamps []debug.BuildSetting
	if info, ok := debug.ReadBuildInfo(); ok {
		stamps = info.Settings
	}
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	return identify(stamps, executable)
}

func identify(stamps []debug.BuildSetting, executable string) string {
	values := map[string]string{}
	for _, s := range stamps {
		values[s.Key] = s.Value
	}
	revision, dirty := values["vcs.revision"], values["vcs.modified"] == "true"
	switch {
	case revision != "" && dirty:
		return revision + "+dirty." + hashOf(executable)
	case revision != "":
		return revision
	}
	return "sha256:" + hashOf(executable)
}

// hashOf is the beginning of a file's hash.
func hashOf(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

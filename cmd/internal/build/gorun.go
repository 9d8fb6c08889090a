package build

import (
	"path/filepath"
	"regexp"
)

var (
	// go run links into a temporary folder and, from Go 1.24 on, starts what it built before out of the build cache, in which
	// a file's folder is named after its hash.
	temporaryBuild = regexp.MustCompile(`/go-build[0-9]+/b[0-9]+/exe/[^/]+$`)
	cachedBuild    = regexp.MustCompile(`/[0-9a-f]{2}/[0-9a-f]{64}-d/[^/]+$`)
)

// ByGoRun tells by the path of an executable whether go run has built it.
func ByGoRun(executable string) bool {
	path := filepath.ToSlash(executable)
	return temporaryBuild.MatchString(path) || cachedBuild.MatchString(path)
}

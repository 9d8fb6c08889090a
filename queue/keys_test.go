package queue_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// everything reads all keys of the queue, so that a test can tell whether anything changed.
func (r *rig) everything() map[string]any {
	r.Helper()
	ctx, all := context.Background(), map[string]any{}
	names, err := r.raw.Keys(ctx, r.key("*")).Result()
	if err != nil {
		r.Fatal(err)
	}
	for _, name := range names {
		short := strings.TrimPrefix(name, r.key(""))
		switch kind := r.raw.Type(ctx, name).Val(); kind {
		case "string":
			all[short] = r.raw.Get(ctx, name).Val()
		case "list":
			all[short] = r.raw.LRange(ctx, name, 0, -1).Val()
		case "hash":
			all[short] = r.raw.HGetAll(ctx, name).Val()
		case "zset":
			all[short] = r.raw.ZRangeWithScores(ctx, name, 0, -1).Val()
		case "set":
			members := r.raw.SMembers(ctx, name).Val()
			slices.Sort(members)
			all[short] = members
		default:
			r.Fatalf("key %s is a %q", name, kind)
		}
	}
	return all
}

// unchanged fails the test if anything but the named keys differs from before.
func (r *rig) unchanged(before map[string]any, but ...string) {
	r.Helper()
	after := r.everything()
	for _, name := range but {
		delete(before, name)
		delete(after, name)
	}
	if !reflect.DeepEqual(before, after) {
		r.Errorf("the keys changed\n from %v\n   to %v", before, after)
	}
}

// goFiles parses every Go file of the module; names are relative to its root, with slashes.
func goFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files, set := map[string]*ast.File{}, token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		files[strings.TrimPrefix(filepath.ToSlash(path), "../")] = file
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files["queue/keys.go"] == nil {
		t.Fatalf("no module here: %d files", len(files))
	}
	return files
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

func within(name string, dirs ...string) bool {
	for _, dir := range dirs {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	return false
}

func TestKeysAreSpelledOnce(t *testing.T) {
	spelled := regexp.MustCompile(`punctual:[^ ]`) // not the name of the program before an error
	found := false
	for name, file := range goFiles(t) {
		// Test helpers must not believe the code that they test, and dev shows people what to type.
		if isTest(name) || within(name, "integration/", "cmd/internal/app/dev.go") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || !spelled.MatchString(lit.Value) {
				return true
			}
			if name != "queue/keys.go" {
				t.Errorf("%s spells a key: %s", name, lit.Value)
			}
			found = true
			return true
		})
	}
	if !found {
		t.Error("not even keys.go spells a key: this test looks for the wrong thing")
	}
}

// Imports point one way: cmd → api | worker → queue → go-redis.
func TestImportsPointOneWay(t *testing.T) {
	const module = "github.com/punctualq/punctual/"
	edges := 0
	for name, file := range goFiles(t) {
		if isTest(name) || within(name, "integration/") {
			continue
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			allowed := true
			switch {
			case strings.HasPrefix(path, "github.com/redis/"):
				allowed = within(name, "queue/")
			case strings.HasPrefix(path, module+"queue"):
				allowed = within(name, "cmd/", "api/", "worker/")
			case path == module+"api/ui": // its dashboard
				allowed = within(name, "api/")
			case strings.HasPrefix(path, module+"api"), strings.HasPrefix(path, module+"worker"):
				allowed = within(name, "cmd/")
			case strings.HasPrefix(path, module+"integration"):
				allowed = false
			default:
				continue
			}
			edges++
			if !allowed {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if edges == 0 {
		t.Error("no import at all: this test looks for the wrong thing")
	}
}

// Everything a queue writes lies under its own hash tag, so that it is one slot of a cluster.
func TestKeysOfAQueueAreOneSlot(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{Delay: 1}, queue.NewJob{})
	bury(r, 1)
	r.putNow(2)
	r.take("w", 1)
	for name := range r.everything() {
		if strings.ContainsAny(name, "{}") {
			t.Errorf("key %s", name)
		}
	}
	strangers, err := r.raw.Keys(t.Context(), "*"+r.name+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range strangers {
		if !strings.HasPrefix(key, r.key("")) {
			t.Errorf("key %s is not of the slot of %s", key, r.key(""))
		}
	}
	r.kill("w")
	r.reap("w")
}

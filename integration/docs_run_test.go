package integration

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// TestDocumentedCommands follows README, the guide and the API page as a reader would: from a fresh copy of the tree, one
// command after the other, as they stand there, with the default ports. (The pages in Japanese have the same blocks, which
// another test checks.)
//
//	```sh            a command that ends, and ends well; all of a page share one shell
//	```sh NAME       a command that goes on, in a terminal of its own
//	```text          what the last command printed
//	```text NAME     what that terminal prints, sooner or later
//	```go FILE       a file that the reader saves
//	<!-- Ctrl+C in NAME -->, <!-- paste the curl of NAME -->
//
// <id> in a command stands for the id that the API answered last. Printed lines are compared loosely: what differs from run to
// run may differ, … stands for anything, and more lines may be printed.
//
// Somebody may use the default ports, so it all takes place in a network namespace of its own where the system has them. There
// is a namespace of processes, too: when it ends, all that was started in it ends.
func TestDocumentedCommands(t *testing.T) {
	if os.Getenv(insideVariable) == "" {
		requireTools(t)
		if prefix := namespace(); prefix != nil {
			rerunIn(t, prefix)
			return
		}
		for _, port := range defaultPorts {
			if listens(port) {
				unfit(t, "no network namespace can be had here, and port "+port+" is taken")
			}
		}
	} else {
		go func() { // the other end of stdin is held by the outer test: this one does not outlive it
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
	}
	read := pages(t)
	dir := freshCopy(t)
	api := read["docs/en/API.md"]
	api.blocks = slices.Concat(beforeAPI, api.blocks, afterAPI)
	for _, p := range []page{read["README.md"], read["docs/en/Queue-Job.md"], api} {
		t.Run(p.path, func(t *testing.T) { newReader(t, dir).follow(p) })
	}
}

// The API page sends its readers to the guide for a server, and does not say everything twice.
var (
	beforeAPI = []block{
		{lang: "sh", body: "./scripts/start-redis.sh start"},
		{lang: "sh", name: "server", body: "APP_ENV=develop go run ./cmd/server/main.go"},
		{lang: "text", name: "server", body: "INF takes jobs in"},
	}
	afterAPI = []block{{lang: "step", name: "Ctrl+C in server"}}
)

const insideVariable = "PUNCTUAL_TEST_DOCS_INSIDE"

var defaultPorts = []string{"6379", "8080", "8081", "8082"}

// notRun are the commands that are not executed, and why not.
var notRun = map[string]string{
	"make test": "it is what runs this test",
}

// sayNo are the commands that end with a clear word where no Docker answers, as in this test.
var sayNo = map[string]string{
	"./scripts/start-redis-insight.sh start": "Redis Insight needs Docker",
}

func requireTools(t *testing.T) {
	t.Helper()
	redistest.Backends(t) // skips, and notes it, where there is no real Redis
	for _, tool := range []string{"bash", "make", "curl", "redis-server", "redis-cli"} {
		if _, err := exec.LookPath(tool); err != nil {
			unfit(t, "there is no "+tool+" on the PATH")
		}
	}
}

// unfit skips the test, or fails it where nothing may be left out.
func unfit(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("the documented commands cannot be run: %s", why)
	}
	t.Skipf("the documented commands are not run: %s", why)
}

// namespace returns what to put before a command so that it runs in namespaces of its own, nil if that is not possible.
func namespace() []string {
	separate := []string{"--net", "--pid", "--fork", "--kill-child", "--mount-proc"}
	for _, args := range [][]string{separate, append([]string{"--user", "--map-root-user"}, separate...)} {
		// The shell stays, as the first process, so that orphans have somebody to collect them.
		prefix := append(append([]string{"unshare"}, args...), "sh", "-c", `ip link set lo up && "$0" "$@"; exit $?`)
		if exec.Command(prefix[0], append(prefix[1:], "true")...).Run() == nil {
			return prefix
		}
	}
	return nil
}

// rerunIn runs this test once more in namespaces of its own.
func rerunIn(t *testing.T, prefix []string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(prefix[1:]), self, "-test.run=^TestDocumentedCommands$", "-test.v", "-test.timeout=9m")
	inner := exec.CommandContext(t.Context(), prefix[0], args...)
	inner.Env = append(os.Environ(), insideVariable+"=1", "TMPDIR="+t.TempDir()) // what is left behind there goes with this test
	if _, err := inner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := inner.CombinedOutput()
	t.Logf("%s:\n%s", strings.Join(prefix[:len(prefix)-3], " "), out)
	if err != nil {
		t.Error(err)
	}
}

func listens(port string) bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// freshCopy copies what a clone would have to a folder of its own, edits that are not committed yet included.
func freshCopy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "punctual")
	for _, name := range files(t) {
		from, to := filepath.Join(repository, name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, text, info.Mode())
	}
	return dir
}

func write(t *testing.T, file string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, mode); err != nil {
		t.Fatal(err)
	}
}

package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// patience is how long a reader waits for a command: the first ones compile everything, with the processor time that other tests
// leave, see scripts/test.sh.
const patience = 4 * time.Minute

// reader types what a page tells to type.
type reader struct {
	t         *testing.T
	dir       string
	env       []string
	shell     *terminal
	stdin     io.Writer
	blocks    int
	terminals map[string]*terminal
	lastID    string
}

// terminal is a command and what it prints.
type terminal struct {
	cmd  *exec.Cmd
	out  programs.Output
	seen int // lines that the page has told of
	gone chan struct{}
}

var passedOn = regexp.MustCompile(`^(PATH|HOME|USER|LANG|LC_[A-Z]+|TZ|TMPDIR|XDG_[A-Z_]+|GO[A-Z0-9]*|CGO_ENABLED|CC)=`)

func newReader(t *testing.T, dir string) *reader {
	// Settings of whoever runs the tests do not matter, and no Docker engine answers.
	r := &reader{t: t, dir: dir, terminals: map[string]*terminal{}}
	r.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return !passedOn.MatchString(v) })
	r.env = append(r.env, "DOCKER_HOST=unix://"+filepath.Join(t.TempDir(), "nobody.sock"), "GOPROXY=off")
	if err := os.RemoveAll(filepath.Join(dir, ".redis")); err != nil { // each page begins anew
		t.Fatal(err)
	}
	t.Cleanup(r.end)
	r.shell = r.open("bash", "-s")
	return r
}

// open starts a terminal: a process group of its own, so that a Ctrl+C reaches all that runs in it and nothing else.
func (r *reader) open(command ...string) *terminal {
	r.t.Helper()
	term := &terminal{gone: make(chan struct{})}
	term.cmd = exec.Command(command[0], command[1:]...)
	term.cmd.Dir, term.cmd.Env = r.dir, r.env
	term.cmd.Stdout, term.cmd.Stderr = &term.out, &term.out
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	term.cmd.WaitDelay = 5 * time.Second
	if r.stdin == nil {
		var err error
		if r.stdin, err = term.cmd.StdinPipe(); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := term.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = term.cmd.Wait()
		close(term.gone)
	}()
	return term
}

// end leaves nothing running, whatever has happened, and tells what was printed if something was wrong.
func (r *reader) end() {
	for _, term := range r.terminals {
		_ = syscall.Kill(-term.cmd.Process.Pid, syscall.SIGKILL)
		<-term.gone
	}
	if r.shell != nil {
		_ = syscall.Kill(-r.shell.cmd.Process.Pid, syscall.SIGKILL)
		<-r.shell.gone
	}
	stop := exec.Command("./scripts/start-redis.sh", "stop")
	stop.Dir, stop.Env = r.dir, r.env
	if out, err := stop.CombinedOutput(); err != nil {
		r.t.Errorf("start-redis.sh stop: %v\n%s", err, out)
	}
	for _, port := range defaultPorts {
		if listens(port) {
			r.t.Errorf("something still listens on port %s", port)
		}
	}
	if r.t.Failed() {
		for name, term := range r.terminals {
			r.t.Logf("terminal %s printed:\n%s", name, term.out.String())
		}
	}
}

// follow does what a page says.
func (r *reader) follow(p page) {
	printed := "" // by the last command
	for _, b := range p.blocks {
		at := fmt.Sprintf("%s:%d", p.path, b.line)
		begin := time.Now()
		switch b.lang {
		case "sh":
			switch {
			case notRun[b.body] != "":
			case b.name != "":
				r.terminals[b.name] = r.open("bash", "-c", b.body)
			default:
				printed = r.run(at, b.body)
			}
		case "text":
			if b.name == "" {
				if _, missing := compare(b.body, printed); missing != "" {
					r.t.Fatalf("%s: not printed:\n%s\nbut:\n%s", at, missing, printed)
				}
				continue
			}
			r.await(at, b)
		case "go":
			write(r.t, filepath.Join(r.dir, b.name), []byte(b.body+"\n"), 0o644)
		case "step":
			r.step(at, b.name)
		case "", "json": // to look at: a picture, or what cannot be shown here
		default:
			r.t.Errorf("%s: nobody knows what to do with a block of %q", at, b.lang)
		}
		r.t.Logf("%s %s %s: %s", at, b.lang, b.name, time.Since(begin).Round(10*time.Millisecond))
	}
	for name, term := range r.terminals {
		select {
		case <-term.gone:
		default:
			r.t.Errorf("%s does not tell how to end what runs in terminal %s", p.path, name)
		}
	}
}

var (
	marker   = regexp.MustCompile(`\x1e(\d+)\x1e\n`)
	answerID = regexp.MustCompile(`"job_id":"([^"]+)"`)
)

// run types commands into the page's own shell and waits until they have ended.
func (r *reader) run(at, commands string) string {
	r.t.Helper()
	r.blocks++
	file := filepath.Join(r.t.TempDir(), fmt.Sprintf("%d.sh", r.blocks))
	write(r.t, file, []byte(strings.ReplaceAll(commands, "<id>", r.lastID)+"\n"), 0o644)
	before := len(r.shell.out.String())
	// A command that fails inside the file counts, not only its last one.
	fmt.Fprintf(r.stdin, "failed=0; trap 'failed=$?' ERR; . %s </dev/null; trap - ERR; printf '\\036%%d\\036\\n' $failed\n", file)
	var end []int
	redistest.Await(r.t, patience, at+": an end of\n"+commands, func() bool {
		end = marker.FindStringIndex(r.shell.out.String()[before:])
		return end != nil
	})
	text := r.shell.out.String()[before:]
	printed, status := text[:end[0]], strings.Trim(text[end[0]:end[1]], "\x1e\n")
	switch word := sayNo[commands]; {
	case word != "" && (status == "0" || !strings.Contains(printed, word)):
		r.t.Errorf("%s: %s\nexit status %s, want a failure that says %q:\n%s", at, commands, status, word, printed)
	case word == "" && status != "0":
		r.t.Fatalf("%s: %s\nexit status %s:\n%s", at, commands, status, printed)
	}
	if id := answerID.FindStringSubmatch(printed); id != nil {
		r.lastID = id[1]
	}
	return printed
}

// await waits until a terminal has printed what the page says. It may print more.
func (r *reader) await(at string, b block) {
	r.t.Helper()
	term := r.terminal(at, b.name)
	var text, missing string
	done := func() bool {
		lines := strings.SplitAfter(term.out.String(), "\n")
		text = strings.Join(lines[min(term.seen, len(lines)):], "")
		var used int
		if used, missing = compare(b.body, text); missing == "" {
			term.seen += used
			return true
		}
		return false
	}
	for deadline := time.Now().Add(patience); !done(); {
		select {
		case <-term.gone:
			if done() {
				return
			}
			r.t.Fatalf("%s: terminal %s ended and did not print:\n%s\nbut:\n%s", at, b.name, missing, text)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: terminal %s does not print:\n%s\nbut:\n%s", at, b.name, missing, text)
		}
	}
}

func (r *reader) terminal(at, name string) *terminal {
	r.t.Helper()
	term := r.terminals[name]
	if term == nil {
		r.t.Fatalf("%s: there is no terminal %s", at, name)
	}
	return term
}

var printedCurl = regexp.MustCompile(`(?m)^curl (?:.*\\\n)*.*$`)

// step is what a reader does without typing a command that stands there.
func (r *reader) step(at, what string) {
	r.t.Helper()
	if name, ok := strings.CutPrefix(what, "paste the curl of "); ok {
		command := printedCurl.FindString(r.terminal(at, name).out.String())
		if command == "" {
			r.t.Fatalf("%s: terminal %s printed no curl command", at, name)
		}
		r.run(at, command)
		return
	}
	name, ok := strings.CutPrefix(what, "Ctrl+C in ")
	if !ok {
		r.t.Fatalf("%s: nobody knows how to do this: %s", at, what)
	}
	term := r.terminal(at, name)
	if err := syscall.Kill(-term.cmd.Process.Pid, syscall.SIGINT); err != nil {
		r.t.Fatalf("%s: Ctrl+C in terminal %s: %v", at, name, err)
	}
	select {
	case <-term.gone:
	case <-time.After(15 * time.Second):
		r.t.Fatalf("%s: terminal %s does not end", at, name)
	}
}

// compare looks for each line of want in got, in order. It returns how many lines of got that took, and the line that is missing.
func compare(want, got string) (used int, missing string) {
	lines := strings.Split(got, "\n")
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		if line == "" || line == "…" {
			continue
		}
		pattern := loosely(line)
		at := slices.IndexFunc(lines[used:], func(l string) bool { return pattern.MatchString(general(l)) })
		if at < 0 {
			return used, line
		}
		used += at + 1
	}
	return used, ""
}

// loosely makes a pattern of a line of a page.
func loosely(line string) *regexp.Regexp {
	parts := strings.Split(general(line), "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(strings.Join(parts, ".*"))
}

var different = []struct {
	what *regexp.Regexp
	word string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`sha256:[0-9a-f]+`), "HASH"},
	{regexp.MustCompile(`\b[\w.-]+:\d+:[0-9a-f]{8}\b`), "WORKER"},
	{regexp.MustCompile(`"(host|dir)":"[^"]*"`), `"$1":""`},
	{regexp.MustCompile(`(\bpid[=" :]+|\bprocess )\d+`), "${1}PID"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?`), "TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d(\.\d+)?`), "TIME"},
	{regexp.MustCompile(`\b\d{13}\b`), "MS"},
	{regexp.MustCompile(`127\.0\.0\.1:\d{5}\b`), "PRIVATE"}, // those that are promised have four digits
}

// general puts one word in place of all that differs from run to run.
func general(line string) string {
	for _, d := range different {
		line = d.what.ReplaceAllString(line, d.word)
	}
	return line
}

func TestCompareIsLooseButNotBlind(t *testing.T) {
	const printed = "12:00:00.123 INF worker registered build=sha256:0123456789ab worker=vm:77:0a1b2c3d\n" +
		"{\"job_id\":\"01a20d2e-5dbc-7e03-94b7-1d3c6941935e\",\"attempt\":3}\n[2026-11-24 10:49:39] Hello\n"
	for want, missing := range map[string]string{
		"INF worker registered build=sha256:ba9876543210 worker=laptop:258:ffffffff": "",
		"INF worker registered …\n…\n\n[1999-01-02 03:04:05] Hello":                  "",
		`{"job_id":"00000000-0000-0000-0000-000000000000","attempt":3}`:              "",
		`{"job_id":"00000000-0000-0000-0000-000000000000","attempt":2}`:              `{"job_id":"00000000-0000-0000-0000-000000000000","attempt":2}`,
		"[1999-01-02 03:04:05] Hello\nINF worker registered …":                       "INF worker registered …",
		"[1999-01-02 03:04:05] Hello\n[1999-01-02 03:04:05] Hello":                   "[1999-01-02 03:04:05] Hello",
		"INF worker deregistered": "INF worker deregistered",
	} {
		if _, got := compare(want, printed); got != missing {
			t.Errorf("of %q is missing %q, want %q", want, got, missing)
		}
	}
}

package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// skewedPrograms builds API and worker with a time.Now that is off by PUNCTUAL_TEST_CLOCK_OFFSET seconds, from
// PUNCTUAL_TEST_CLOCK_AFTER seconds after the start on. Go programs ask the kernel for the time: no library can lie to them.
func skewedPrograms(r *Run) string {
	r.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		r.NotTried("go env GOROOT: %v", err)
	}
	file := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(file)
	if err != nil {
		r.NotTried("the source of package time is not here: %v", err)
	}
	const before = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	const after = before + "\tif mono-startNano >= testAfter {\n\t\tsec += testOffset\n\t}\n"
	const settings = "\nvar testOffset, testAfter = testSetting(\"PUNCTUAL_TEST_CLOCK_OFFSET\"), testSetting(\"PUNCTUAL_TEST_CLOCK_AFTER\") * 1e9\n\n" +
		"func testSetting(name string) (n int64) {\n\ttext, _ := syscall.Getenv(name)\n\tnegative := len(text) > 0 && text[0] == '-'\n" +
		"\tfor _, c := range []byte(text) {\n\t\tif c != '-' {\n\t\t\tn = n*10 + int64(c-'0')\n\t\t}\n\t}\n\tif negative {\n\t\tn = -n\n\t}\n\treturn n\n}\n"
	skewed := strings.Replace(string(source), before, after, 1)
	if skewed == string(source) {
		r.NotTried("time.Now of this version of Go looks otherwise")
	}
	skewed = strings.Replace(skewed, "import (\n", "import (\n\t\"syscall\"\n", 1) + settings
	dir := r.TempDir()
	overlay, _ := json.Marshal(map[string]map[string]string{"Replace": {file: filepath.Join(dir, "time.go")}})
	for name, text := range map[string]string{"time.go": skewed, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			r.Fatal(err)
		}
	}
	build(r, "../..", dir, "-overlay", filepath.Join(dir, "overlay.json"))
	return dir
}

// released is the last state of this project whose programs are kept compatible with the present ones.
const released = "3d6419576818"

// oldPrograms builds API and worker of that state out of the history of this checkout.
func oldPrograms(r *Run) string {
	r.Helper()
	source, dir := r.TempDir(), r.TempDir()
	cmd := exec.Command("sh", "-c", "git archive "+released+" | tar -x -C "+source)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil || !exists(filepath.Join(source, "go.mod")) {
		r.NotTried("this checkout does not have the history: git archive %s: %v %s", released, err, strings.TrimSpace(string(out)))
	}
	build(r, source, dir)
	return dir
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// build compiles API and worker of the module at source into dir.
func build(r *Run, source, dir string, flags ...string) {
	r.Helper()
	args := append([]string{"build", "-o", dir}, flags...)
	cmd := exec.Command("go", append(args, "./cmd/server", "./cmd/jobqueue")...)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("go build: %v\n%s", err, out)
	}
}

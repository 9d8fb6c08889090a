package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
)

// TestDocumentedClients runs each client of docs/en/Clients.md as it stands there, against a real API and a real Redis.
func TestDocumentedClients(t *testing.T) {
	t.Parallel()
	runs := map[string]struct {
		file    string
		command []string // the file is added to it
	}{
		"bash":       {"client.sh", []string{"bash"}},
		"python":     {"client.py", []string{"python3"}},
		"javascript": {"client.js", []string{"node"}},
		"php":        {"client.php", []string{"php"}},
		"go":         {"main.go", []string{"go", "run"}},
	}
	r := redistest.Own(t)
	server := startServer(t, r)
	token, err := api.NewToken([]byte(secret), api.TokenClaims{Subject: "clients"})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, b := range readPage(t, "docs/en/Clients.md").blocks {
		how, ok := runs[b.lang]
		if !ok {
			continue
		}
		found++
		t.Run(b.lang, func(t *testing.T) {
			if _, err := exec.LookPath(how.command[0]); err != nil {
				t.Skipf("there is no %s here", how.command[0])
			}
			if b.lang == "php" && !strings.Contains(printed(t, "php", "-m"), "curl") {
				t.Skip("this PHP has no curl extension")
			}
			file := filepath.Join(t.TempDir(), how.file)
			if err := os.WriteFile(file, []byte(b.body+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			before := r.Client().HLen(t.Context(), "punctual:{default}:jobs").Val()
			cmd := exec.CommandContext(t.Context(), how.command[0], append(how.command[1:], file)...)
			cmd.Env = append(os.Environ(), "PUNCTUAL_API=http://"+server.addr+"/api/dm-jobqueue", "TOKEN="+token)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if after := r.Client().HLen(t.Context(), "punctual:{default}:jobs").Val(); after != before+1 {
				t.Errorf("%d jobs are there after it, %d before", after, before)
			}
			id, state, shown := strings.Cut(strings.TrimSpace(string(out)), " ")
			if b.lang == "bash" {
				return // it prints what the API answered
			}
			if !shown || state != "scheduled" || r.Client().HGet(t.Context(), "punctual:{default}:jobs", id).Err() != nil {
				t.Errorf("it prints %q, want the id of its job and scheduled", out)
			}
		})
	}
	if found != len(runs) {
		t.Errorf("%d clients in the page, want %d", found, len(runs))
	}
}

// printed is what a command prints.
func printed(t *testing.T, command string, args ...string) string {
	t.Helper()
	out, err := exec.Command(command, args...).Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", command, err))
	}
	return string(out)
}

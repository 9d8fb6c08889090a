package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// What scripts/deploy/ has is held to the programs and to the tools that read it; deploy_image_test.go builds the image.

const deploy = "../scripts/deploy/"

// shutdown is how long a program may take to end, by the defaults outside develop.
func shutdown(t *testing.T, settings ...string) (sum time.Duration) {
	t.Helper()
	defaults := helpDefaults(t)
	for _, name := range settings {
		text := defaults[name]
		if _, elsewhere, ok := strings.Cut(text, "in develop, "); ok {
			text = strings.TrimSuffix(elsewhere, " elsewhere")
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("default of %s: %v", name, err)
		}
		sum += d
	}
	return sum
}

func mayTakeLonger(t *testing.T, who, given string, than time.Duration) {
	t.Helper()
	if d, err := time.ParseDuration(given); err != nil || d <= than {
		t.Errorf("%s is killed after %q, but its shutdown may take %s", who, given, than)
	}
}

// service is what this test reads of a service of the compose file.
type service struct {
	Command     any
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Healthcheck struct{ Test []string }
	Stop        string `yaml:"stop_grace_period"`
	ReadOnly    bool   `yaml:"read_only"`
	Deploy      struct{ Replicas int }
}

func TestComposeFile(t *testing.T) {
	text, err := os.ReadFile(deploy + "compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	redis, server, worker := file.Services["redis"], file.Services["server"], file.Services["worker"]
	for _, want := range []string{"--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction", "--maxmemory "} {
		if line, _ := redis.Command.(string); !strings.Contains(line, want) {
			t.Errorf("Redis is started without %s: %s", want, line)
		}
	}
	if _, known := file.Volumes["redis"]; !known || !slices.Equal(redis.Volumes, []string{"redis:/data"}) || len(redis.Ports) > 0 {
		t.Errorf("Redis has the volumes %v and the ports %v", redis.Volumes, redis.Ports)
	}
	if !strings.HasPrefix(server.Environment["JWT_SECRET"], "${JWT_SECRET:?") || !slices.Equal(server.Ports, []string{"127.0.0.1:8080:8080"}) {
		t.Errorf("the API starts with the secret %q and the ports %v", server.Environment["JWT_SECRET"], server.Ports)
	}
	if _, told := worker.Environment["JWT_SECRET"]; told || worker.Deploy.Replicas != 2 {
		t.Errorf("there are %d workers, and they are told the secret: %t", worker.Deploy.Replicas, told)
	}
	settings := helpDefaults(t)
	for name, s := range map[string]service{"server": server, "worker": worker} {
		if !s.ReadOnly {
			t.Errorf("%s may write", name)
		}
		for setting := range s.Environment {
			if _, known := settings[setting]; !known {
				t.Errorf("%s is given %s, which is no setting", name, setting)
			}
		}
	}
	mayTakeLonger(t, "server", server.Stop, shutdown(t, "SHUTDOWN_DRAIN", "SHUTDOWN_GRACE"))
	mayTakeLonger(t, "worker", worker.Stop, shutdown(t, "SHUTDOWN_GRACE"))
}

// TestComposeReadsItsFile asks docker compose, where there is one, and sees it refuse to start without a secret.
func TestComposeReadsItsFile(t *testing.T) {
	if exec.Command("docker", "compose", "version").Run() != nil {
		t.Skip("there is no docker compose here")
	}
	for _, c := range []struct {
		env   []string
		fails bool
	}{{[]string{"JWT_SECRET=" + secret}, false}, {nil, true}} {
		cmd := exec.Command("docker", "compose", "--file", deploy+"compose.yaml", "config", "--quiet")
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "JWT_SECRET=") }), c.env...)
		if out, err := cmd.CombinedOutput(); (err != nil) != c.fails {
			t.Errorf("with %v: %v\n%s", c.env, err, out)
		}
	}
}

var unitLine = regexp.MustCompile(`(?m)^(\w+)=(.*)$`)

// TestUnits: systemd reads the units without a complaint and finds little that they leave open.
func TestUnits(t *testing.T) {
	dir := t.TempDir()
	for name, stop := range map[string][]string{
		"punctual-server.service":  {"SHUTDOWN_DRAIN", "SHUTDOWN_GRACE"},
		"punctual-worker@.service": {"SHUTDOWN_GRACE"},
	} {
		text, err := os.ReadFile(deploy + "systemd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		for _, line := range unitLine.FindAllStringSubmatch(string(text), -1) {
			values[line[1]] = line[2]
		}
		mayTakeLonger(t, name, values["TimeoutStopSec"], shutdown(t, stop...))
		if values["RestartPreventExitStatus"] != "2" || values["Restart"] != "on-failure" {
			t.Errorf("%s: Restart=%s RestartPreventExitStatus=%s", name, values["Restart"], values["RestartPreventExitStatus"])
		}
		// As if the programs were installed where they are.
		installed := strings.ReplaceAll(string(text), "/usr/local/bin/", filepath.Dir(built.Path(t, "server"))+"/")
		write(t, filepath.Join(dir, name), []byte(installed), 0o644)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze here")
	}
	for _, name := range []string{"punctual-server.service", "punctual-worker@1.service"} {
		if template := strings.Replace(name, "@1", "@", 1); template != name { // an instance is its template under its own name
			if err := os.Symlink(template, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{{"verify"}, {"security", "--offline=true", "--threshold=20"}} { // 2.0 of 10
			cmd := exec.Command("systemd-analyze", append(args, filepath.Join(dir, name))...)
			out, err := cmd.CombinedOutput()
			if err != nil || args[0] == "verify" && len(out) > 0 {
				t.Errorf("systemd-analyze %v %s: %v\n%s", args, name, err, out)
			}
		}
	}
}

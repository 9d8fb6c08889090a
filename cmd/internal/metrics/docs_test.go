package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var monitoring = filepath.Join("..", "..", "..", "docs", "monitoring")

// promtool runs it in docs/monitoring, or skips the test where there is none (Debian: apt-get install prometheus).
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("skipped: no promtool here")
	}
	c := exec.Command("promtool", args...)
	c.Dir = monitoring
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlertsAreRules(t *testing.T)    { promtool(t, "check", "rules", "alerts.yaml") }
func TestAlertsFireWhenDue(t *testing.T) { promtool(t, "test", "rules", "alerts_test.yaml") }

// TestQueriesOfTheDashboard: promtool reads each as the rule that it could be, with the variables of Grafana filled in.
func TestQueriesOfTheDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	type rule struct{ Record, Expr string }
	var rules []rule
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			rules = append(rules, rule{"a:b:c", strings.NewReplacer("$__rate_interval", "5m", "$queue", ".*").Replace(target.Expr)})
		}
	}
	if len(rules) == 0 {
		t.Fatal("it has no panels")
	}
	type group struct {
		Name  string
		Rules []rule
	}
	made, err := yaml.Marshal(map[string][]group{"groups": {{"dashboard", rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, made, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint=none", file)
}

// TestEveryAlertIsTested: each fires in alerts_test.yaml, and is explained.
func TestEveryAlertIsTested(t *testing.T) {
	var alerts struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	var tests struct {
		Tests []struct {
			Cases []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	read := func(name string, into any) {
		text, err := os.ReadFile(filepath.Join(monitoring, name))
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read("alerts.yaml", &alerts)
	read("alerts_test.yaml", &tests)
	fires := map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			fires[c.Alert] = fires[c.Alert] || len(c.Fires) > 0
		}
	}
	for _, lang := range []string{"en", "ja"} {
		page, err := os.ReadFile(filepath.Join(monitoring, "..", lang, "Monitoring.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range alerts.Groups {
			for _, r := range g.Rules {
				if !fires[r.Alert] {
					t.Errorf("no test lets %s fire", r.Alert)
				}
				if !strings.Contains(string(page), "`"+r.Alert+"`") {
					t.Errorf("docs/%s/Monitoring.md does not say what to do about %s", lang, r.Alert)
				}
			}
		}
	}
}

package machine

import "testing"

func TestMachine(t *testing.T) {
	if CPU() == "" || System() == "" {
		t.Errorf("CPU %q, system %q", CPU(), System())
	}
	if got := Named("/no/such/file", "x", ":"); got != "" {
		t.Errorf("of a file that is not there: %q", got)
	}
}

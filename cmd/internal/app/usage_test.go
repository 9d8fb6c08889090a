package app

import (
	"strings"
	"testing"

	"github.com/punctualq/punctual/cmd/internal/settings"
)

var programs = map[string]Program{"server": Server, "jobqueue": Jobqueue, "punctual": Punctual}

func TestHelpNamesEverySetting(t *testing.T) {
	for _, args := range [][]string{{"server", "-h"}, {"server", "--help"}, {"jobqueue", "-h"}, {"jobqueue", "--help"}, {"punctual", "-h"},
		{"punctual", "--help"}, {"punctual"}, {"punctual", "dev", "-h"}, {"punctual", "token", "--help"}} {
		var stdout, stderr output
		// Help must come even where the settings are wrong.
		code := programs[args[0]](t.Context(), args[1:], env("APP_ENV=wrong"), &stdout, &stderr)
		if code != exitOK || stderr.String() != "" {
			t.Errorf("%v: exit %d, stderr %q", args, code, stderr.String())
		}
		for _, name := range settings.Names() {
			if !strings.Contains(stdout.String(), "\n  "+name+" ") {
				t.Errorf("%v does not tell of %s:\n%s", args, name, stdout.String())
			}
		}
	}
}

func TestWrongArgumentsAndSettings(t *testing.T) {
	for _, c := range []struct {
		args  []string
		pairs []string
		says  []string
	}{
		{[]string{"server", "start"}, nil, []string{"start", "-h"}},
		{[]string{"jobqueue", "-v"}, nil, []string{"-v", "-h"}},
		{[]string{"punctual", "develop"}, nil, []string{"develop", "-h"}},
		{[]string{"punctual", "token", "x"}, nil, []string{"x", "-h"}},
		{[]string{"punctual", "token", "--subject", "x"}, nil, []string{"--subject", "-h"}},
		{[]string{"server"}, []string{"APP_ENV=prod", "LOG_LEVEL=loud"}, []string{"APP_ENV", "LOG_LEVEL"}},
		{[]string{"server"}, []string{"APP_ENV=production"}, []string{"JWT_SECRET"}},
		{[]string{"server"}, []string{"REDIS_URL=redis://127.0.0.1:1/0?db=x"}, []string{"REDIS_URL"}},
		{[]string{"jobqueue"}, []string{"HEARTBEAT_TTL=1s"}, []string{"HEARTBEAT_TTL", "HEARTBEAT_INTERVAL"}},
		{[]string{"punctual", "dev"}, []string{"HTTP_ADDR=:0"}, []string{"HTTP_ADDR", "JWT_SECRET"}},
		{[]string{"punctual", "dev"}, []string{"APP_ENV=staging", "JWT_SECRET=" + testSecret, "HTTP_ADDR=127.0.0.1:0"}, []string{"APP_ENV"}},
		{[]string{"punctual", "token"}, []string{"QUEUES=,"}, []string{"QUEUES"}},
	} {
		var stdout, stderr output
		pairs := append([]string{"HTTP_ADDR=127.0.0.1:0", "WORKER_HTTP_ADDR="}, c.pairs...)
		code := programs[c.args[0]](t.Context(), c.args[1:], env(pairs...), &stdout, &stderr)
		if code != exitUsage || stdout.String() != "" {
			t.Errorf("%v %v: exit %d, stdout %q; want exit 2 and nothing on stdout", c.args, c.pairs, code, stdout.String())
		}
		for _, text := range c.says {
			if !strings.Contains(stderr.String(), text) {
				t.Errorf("%v %v: says %q, which does not name %s", c.args, c.pairs, stderr.String(), text)
			}
		}
	}
}

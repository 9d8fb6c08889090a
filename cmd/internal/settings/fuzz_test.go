package settings

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// FuzzRedisURL: what is wrong with a URL is told without any part of it, for each may be one of a password, and what is
// taken shows no password when it is printed.
func FuzzRedisURL(f *testing.F) {
	for _, value := range []string{"", "redis://:hunter2@127.0.0.1:1/0", "rediss://user:hunter2@[::1]:6380/15", "redis://:hunter2/x@h:1/0", "redis://u:hunter2%zz@h",
		"redis://:hunter2@h:1/x", "hunter2", "redis://h:99999", "redis://h:1/0?password=hunter2", "redis://hunter2@h/0#hunter2", "unix:///hunter2", "REDIS://h", "redis://h\x7f"} {
		f.Add(value)
	}
	said := parseRedisURL(&Settings{}, "")
	if said == nil {
		f.Fatal("an empty URL is taken")
	}
	f.Fuzz(func(t *testing.T, value string) {
		var s Settings
		if err := parseRedisURL(&s, value); err != nil {
			if err.Error() != said.Error() {
				t.Errorf("it says %q", err)
			}
			return
		}
		u, err := url.Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		told := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.RedisURL)
		if len(password) > 8 && strings.Contains(told, password) && !strings.Contains(u.Host, password) {
			t.Errorf("the password is told in %s", told)
		}
	})
}

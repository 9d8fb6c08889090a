package api

import (
	"errors"
	"net/http"
	"reflect"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func callerOf(t *testing.T, changes jwt.MapClaims) (caller, error) {
	t.Helper()
	v, err := newVerifier(Config{Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	return v.caller(http.Header{"Authorization": {"Bearer " + sign(t, jwt.SigningMethodHS256, testSecret, changes)}})
}

func TestCaller(t *testing.T) {
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		want   caller
	}{
		"no claims":      {nil, caller{subject: "tester"}},
		"one scope":      {jwt.MapClaims{"scope": "jobs:read"}, caller{subject: "tester", scoped: true, scopes: []string{"jobs:read"}}},
		"several scopes": {jwt.MapClaims{"scope": " jobs:read  jobs:write other"}, caller{subject: "tester", scoped: true, scopes: []string{"jobs:read", "jobs:write", "other"}}},
		"no scope":       {jwt.MapClaims{"scope": ""}, caller{subject: "tester", scoped: true, scopes: []string{}}},
		"queues":         {jwt.MapClaims{"queues": []string{"a", "b"}}, caller{subject: "tester", limited: true, queues: []string{"a", "b"}}},
		"no queues":      {jwt.MapClaims{"queues": []string{}}, caller{subject: "tester", limited: true}},
		"nobody":         {jwt.MapClaims{"sub": nil}, caller{}},
		"in capitals":    {jwt.MapClaims{"SCOPE": "jobs:admin", "Queues": []string{}}, caller{subject: "tester"}},
	} {
		if got, err := callerOf(t, c.claims); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	null := any((*string)(nil)) // sign takes a plain nil out
	for _, claims := range []jwt.MapClaims{{"scope": []string{"jobs:read"}}, {"scope": 1}, {"scope": true}, {"scope": null}, {"scope": map[string]any{}},
		{"queues": "a"}, {"queues": "a b"}, {"queues": []any{"a", 1}}, {"queues": []any{nil}}, {"queues": null}, {"queues": map[string]any{"a": true}}, {"sub": 7}} {
		if got, err := callerOf(t, claims); !errors.Is(err, errUnauthorized) {
			t.Errorf("%v: %+v, %v; want unauthorized", claims, got, err)
		}
	}
}

func TestCallerMayAndSees(t *testing.T) {
	all := caller{}
	some := caller{scoped: true, scopes: []string{scopeAdmin}, limited: true, queues: []string{"a"}}
	for _, scope := range Scopes() {
		if all.may(scope) || some.may(scope) != (scope == scopeAdmin) {
			t.Errorf("scope %s: without the claim %v, jobs:admin alone %v", scope, all.may(scope), some.may(scope))
		}
	}
	if !all.sees("a") || !some.sees("a") || some.sees("b") || (caller{limited: true}).sees("a") {
		t.Error("the queues are not those of the claim")
	}
}

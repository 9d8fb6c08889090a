package api

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// TestObserve: each request is told of with the template of its route, not with what the client wrote there.
func TestObserve(t *testing.T) {
	var told []string
	h, err := New(&fakeQueue{}, Config{Secret: testSecret, Observe: func(route, method string, code int, took time.Duration) {
		if took < 0 {
			t.Errorf("took %s", took)
		}
		told = append(told, fmt.Sprint(method, " ", route, " ", code))
	}})
	if err != nil {
		t.Fatal(err)
	}
	do(h, request(t, `{}`))
	do(h, httptest.NewRequest("PUT", pathRegister, nil))
	do(h, httptest.NewRequest("GET", "/livez?x=y", nil))
	do(h, httptest.NewRequest("GET", "/no/such/thing", nil))
	if want := []string{"POST " + pathRegister + " 201", "PUT " + pathRegister + " 405", "GET /livez 200", "GET  404"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

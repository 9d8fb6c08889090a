package metrics

import (
	"net/http"
	"strconv"
	"time"
)

// RoundTrip counts one round trip to Redis; see queue.Options.
func (m *Metrics) RoundTrip(took time.Duration, err error) {
	m.roundTrips.Observe(took.Seconds())
	if err != nil {
		m.redisFailure.Inc()
	}
}

// Request counts one HTTP request; see api.Config. A client chooses its path and its method, so only those that the API knows
// have a series of their own.
func (m *Metrics) Request(route, method string, code int, took time.Duration) {
	if route == "" {
		route = other
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = other
	}
	status := strconv.Itoa(code)
	m.requests.WithLabelValues(route, method, status).Inc()
	m.requestTime.WithLabelValues(route, method, status).Observe(took.Seconds())
}

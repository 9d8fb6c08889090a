package api

import (
	"net/http"
	"regexp"
)

// traceparent is one of W3C Trace Context: version 00, or a later one, which may have more behind it.
var traceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)

// traceParent returns the traceparent of a request, for queue.NewJob.TraceParent, and "" if it has none that is good: a bad one
// is no reason to refuse a job. Of a later version it is what version 00 has, as the standard wants it.
func traceParent(h http.Header) string {
	given := h.Values("Traceparent")
	if len(given) != 1 || len(given[0]) > 512 {
		return ""
	}
	parts := traceparent.FindStringSubmatch(given[0])
	switch {
	case parts == nil, parts[1] == "ff", parts[1] == "00" && parts[5] != "":
		return ""
	case parts[2] == "00000000000000000000000000000000", parts[3] == "0000000000000000": // no ids
		return ""
	}
	return "00-" + parts[2] + "-" + parts[3] + "-" + parts[4]
}

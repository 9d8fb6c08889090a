package api

import (
	_ "embed"
	"net/http"
)

// document describes this API as OpenAPI 3.1. It is written by hand; the tests of this package hold each of their requests and
// answers to it.
//
//go:embed openapi.json
var document []byte

// serveDocument answers GET /api/dm-jobqueue/openapi.json.
func serveDocument(c *call) error {
	writeStatic(c.w, "application/json", document)
	return nil
}

// writeStatic answers with what is the same for all, and as old as the process.
func writeStatic(w http.ResponseWriter, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body) // a client that is gone needs no answer
}

package faults

import (
	"maps"
	"slices"
)

// Text is a text in the languages of the docs.
type Text struct{ EN, JA string }

// Row is one row of the fault matrix.
type Row struct {
	ID        string
	Fault     Text // what is injected
	Invariant Text // what must hold
	// Full rows take too long for make test: they run with SCALE=full, or when they are named.
	Full bool
	// Alone rows measure what takes a processor: at SCALE=full no other row runs beside them.
	Alone bool
	Run   func(*Run) // nil: not built yet
}

// Matrix returns all rows in their order.
func Matrix() []Row {
	runs := map[string]func(*Run){}
	for _, room := range []map[string]func(*Run){workerRows, networkRows, redisRows, topologyRows, apiRows, jobRows, fleetRows, backlogRows, soakRows} {
		maps.Copy(runs, room)
	}
	rows := slices.Clone(texts)
	for i := range rows {
		rows[i].Run = runs[rows[i].ID]
	}
	return rows
}

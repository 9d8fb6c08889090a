package queue

// State is where a job is. A finished job without a retention is gone: there is no state for it.
type State string

const (
	// Scheduled waits for its due time, or is due and not yet claimed. Claim gets it out.
	Scheduled State = "scheduled"
	// Processing is claimed by one worker. Settle gets it out, or reap if that worker dies.
	Processing State = "processing"
	// Dead gave up: retries exhausted, told not to retry, or record unreadable. Kept for inspection until trim drops it.
	Dead State = "dead"
	// Done is finished, and kept until its retention ends. Without a retention a finished job is gone.
	Done State = "done"

	none State = "none" // not there: before enqueue, after trim
)

// Move is one arrow of the life of a job.
type Move struct {
	Script   string
	From, To State
}

// Transitions lists every move, and the one script that makes it. A test checks that each script's header says the same.
var Transitions = []Move{
	{"enqueue", none, Scheduled},
	{"claim", Scheduled, Processing},
	{"claim", Scheduled, Dead},
	{"settle", Processing, Done},
	{"settle", Processing, Scheduled},
	{"settle", Processing, Dead},
	{"reap", Processing, Scheduled},
	{"settle", Processing, none}, // cancelled meanwhile, and not done
	{"reap", Processing, Dead},
	{"reap", Processing, none}, // cancelled meanwhile
	{"cancel", Scheduled, none},
	{"trim", Dead, none},
	{"trim", Done, none},
	{"redrive", Dead, Scheduled},
	{"purge", Scheduled, none},
	{"purge", Dead, none},
	{"purge", Done, none},
	{"repair", none, Scheduled}, // a job that damage has left in no place
	{"repair", none, Dead},
	{"repair", Scheduled, Dead},
	{"repair", Processing, Scheduled},
	{"repair", Processing, Dead},
	{"repair", Done, Dead},
}

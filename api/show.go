package api

import "github.com/punctualq/punctual/queue"

// JobJSON, QueueJSON and WorkerJSON are what the API answers of a job, a queue and a worker: for other programs that speak the same words.

// JobJSON of what Get and List tell.
func JobJSON(i queue.Info) any { return jobOf(i) }

// QueueJSON of what Overview tells.
func QueueJSON(o queue.Overview) any { return queueOf(o) }

// WorkerJSON of what Workers tells.
func WorkerJSON(w queue.WorkerState) any { return workerOf(w) }

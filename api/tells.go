package api

import "strings"

// tells is what an answer says when a verb has failed: what has not happened, what may have, and what sending it again does.
type tells struct{ not, maybe, again string }

const harmless = "sending it again does no harm"

var (
	tellsRegister = tells{"nothing was registered", "the job may be registered as job_id",
		"sending it again may run it twice: look for it first, and send an Idempotency-Key or a job_id of your own the next time"}
	// tellsRepeatable is for a registration that can be told from a second one.
	tellsRepeatable = tells{tellsRegister.not, tellsRegister.maybe, "send the same request again: it finds this job, and registers none twice"}

	tellsRead       = tells{"nothing was read", "nothing was changed", harmless}
	tellsCancel     = tells{"nothing was cancelled", "the job may be cancelled", harmless + ", and no-such-job is then the answer if it was"}
	tellsEdit       = tells{"nothing was changed", "the job may be changed", harmless}
	tellsReschedule = tells{"nothing was rescheduled", "the job may have its new due time", harmless}
	tellsRedrive    = tells{"nothing was redriven", "the job may be scheduled again", harmless + ", and wrong-state is then the answer if it was"}
	tellsPurge      = tells{"nothing was purged", "the job may be gone", harmless + ", and no-such-job is then the answer if it was"}
	tellsPause      = tells{"nothing was paused", "the queue may be paused", harmless}
	tellsResume     = tells{"nothing was resumed", "the queue may be resumed", harmless}
	tellsRedriveAll = tells{"nothing was redriven", "some of the jobs, or all, may be scheduled again", "sending it again goes on with those that are left"}
	tellsPurgeAll   = tells{"nothing was purged", "some of the jobs, or all, may be gone", "sending it again goes on with those that are left"}
	tellsWorker     = tells{"the worker was not told", "the worker may have been told", harmless}
)

// fit puts the words of the verb into a detail.
func (t tells) fit(detail string) string {
	return strings.NewReplacer("{not}", t.not, "{maybe}", t.maybe, "{again}", t.again).Replace(detail)
}

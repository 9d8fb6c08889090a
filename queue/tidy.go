package queue

var tidyScript = loadScript("tidy")

// tidyCall mends a finding that is not of a job.
func tidyCall(k keys, f *Finding) *call {
	return &call{script: tidyScript, args: []any{f.Code, f.subject, f.value},
		keys: []string{k.jobs(), k.workers(), k.wake(), k.stats(), k.meta(), k.heartbeat(f.subject), k.processing(f.subject),
			k.unique(), k.dead(), k.done(), k.scheduled(), k.cancelled(), k.groups()}}
}

package api

import "net/http"

// statsJSON is all that was ever counted.
type statsJSON struct {
	Queues map[string]map[string]int64 `json:"queues"`
	Totals map[string]int64            `json:"totals"`
}

// stats answers GET /api/dm-jobqueue/stats. The totals are of the queues that the caller may see.
func (s *service) stats(c *call) error {
	all, err := s.overviews(c)
	if err != nil {
		return err
	}
	answer := statsJSON{Queues: map[string]map[string]int64{}, Totals: map[string]int64{}}
	for _, o := range all {
		counters := map[string]int64{}
		for name, n := range o.Counters {
			counters[name] = n
			answer.Totals[name] += n
		}
		answer.Queues[o.Queue] = counters
	}
	return c.answer(http.StatusOK, answer)
}

package worker

// conserved checks that every job is in exactly one place, and that nothing is on the list of an unregistered worker.
func (s *store) conserved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	places := map[string]int{}
	for id := range s.due {
		places[id]++
	}
	for _, id := range s.dead {
		places[id]++
	}
	for worker, list := range s.lists {
		for _, element := range list {
			_, id := splitTest(element)
			places[id]++
			if s.registry[worker].IsZero() {
				s.t.Errorf("orphan: %s is on the list of %s, which is not registered", element, worker)
			}
		}
	}
	for id := range s.jobs {
		if places[id] != 1 {
			s.t.Errorf("job %s is in %d places", id, places[id])
		}
		delete(places, id)
	}
	if len(places) > 0 {
		s.t.Errorf("ids without a record: %v", places)
	}
}

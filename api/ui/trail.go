package ui

import "github.com/punctualq/punctual/queue"

// trailData is what the audit trail shows.
type trailData struct {
	Queue  string
	Queues []string
	Deeds  []deed
	Told   bool
}

type deed struct {
	queue.Deed
	Link string // of the job it was done to; ""
}

const deedsOnPage = 200

// trail answers GET /ui/trail.
func (u *ui) trail(v *visit) error {
	all, err := v.overviews()
	if err != nil {
		return err
	}
	name, err := v.chosen(v.r.URL.Query().Get("queue"), all)
	if err != nil {
		return err
	}
	d := trailData{Queue: name}
	for _, o := range all {
		d.Queues = append(d.Queues, o.Queue)
	}
	if name != "" {
		deeds, err := u.Queue.Trail(v.ctx, name, deedsOnPage)
		d.Told = err == nil
		for _, one := range deeds {
			link := ""
			if one.Jobs <= 1 && isJobID(one.Target) && one.Verb != "quiet" && one.Verb != "stop" {
				link = jobURL(name, one.Target)
			}
			d.Deeds = append(d.Deeds, deed{one, link})
		}
	}
	return v.show("trail", "Audit trail", clockOf(all), d)
}

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
	all, name, err := v.queues()
	if err != nil {
		return err
	}
	d := trailData{Queue: name, Queues: namesOf(all)}
	if name != "" {
		deeds, err := u.Queue.Trail(v.ctx, name, deedsOnPage)
		d.Told = v.told(err)
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

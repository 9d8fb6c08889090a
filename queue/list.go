package queue

import "context"

// Listing says which jobs to list.
type Listing struct {
	State   State  // Scheduled (default), Processing, Dead or Done
	Type    string // "" for all
	Subject string // "" for all
	Text    string // part of the id; "" for all
	Limit   int    // most jobs of a page; 0 means 50, at most 1000
	Cursor  string // of the page before; "" for the first
	Newest  bool   // the other way round: latest first
}

// Page is one page of a listing. It looks at 1,000 jobs at most, so a filtered one may be short, even empty, and not the last.
type Page struct {
	Jobs []Info
	Next string // cursor of the next page; "" if this was the last
}

// List returns a page of jobs in the order of their due time (time of death, end of retention), each once however many are moved in and out between
// pages. ErrCursor; ErrInvalid.
func (c *Client) List(ctx context.Context, queue string, l Listing) (Page, error) {
	return Page{}, errNotBuilt
}

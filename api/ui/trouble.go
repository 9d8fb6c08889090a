package ui

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/punctualq/punctual/queue"
)

// What the dashboard itself refuses. The queue's errors are the queue's.
var (
	errNoPage      = errors.New("no such page")
	errCrossOrigin = errors.New("cross-origin request")
	errReadOnly    = errors.New("read only")
	errForm        = errors.New("form cannot be read")
	errVerb        = errors.New("no such action here")
	errQueueHidden = errors.New("the token does not name this queue")
	errFull        = errors.New("too many browsers listen")
	errSignIn      = errors.New("not signed in")
	errUnreadable  = errors.New("nothing could run the record of this job")
)

// scopeError is a token that allows less than was asked.
type scopeError struct{ scope string }

func (e *scopeError) Error() string { return "the token lacks the scope " + e.scope }

// trouble is a page that says what is wrong and what to do.
type trouble struct {
	Status      int
	Title, What string
	Do          string
}

// troubles is the one table from error to page; the first match counts.
var troubles = []struct {
	err error
	trouble
}{
	{errNoPage, trouble{404, "No such page", "There is nothing at this address.", "Take one of the links above."}},
	{errCrossOrigin, trouble{403, "Refused", "Another site sent this request: nothing was changed.", "Open the dashboard itself and do it there."}},
	{errReadOnly, trouble{403, "Read only", "This dashboard only shows: nothing was changed.",
		"Use the API or the command line, or start the server without UI_READ_ONLY."}},
	{errForm, trouble{400, "Not understood", "The form could not be read: nothing was changed.", "Go back, load the page anew and send it again. A form of more than 1 MiB is not taken: use the API or punctual jobs edit."}},
	{errVerb, trouble{400, "Not understood", "This cannot be done from there: nothing was changed.", "Go back, load the page anew and choose again."}},
	{errQueueHidden, trouble{403, "Not allowed", "Your token does not allow this queue.", "Sign in with a token whose claim queues names it."}},
	{errFull, trouble{503, "Too many listen", "Too many browsers get live updates from this process.", "Load the page again to see news."}},
	{ErrEarly, trouble{429, "Too fast", "Your token has sent more requests than RATE_LIMIT allows.", "Wait a few seconds and load the page again."}},
	{queue.ErrNotFound, trouble{404, "No such job", "No job has this id in this queue: it never was, it is done, it was cancelled, or it was trimmed.",
		"Check the queue, or look for it on the page Jobs."}},
	{queue.ErrNoQueue, trouble{404, "No such queue", "Nothing was ever put into a queue of that name.", "Choose one on the overview."}},
	{queue.ErrNoWorker, trouble{404, "No such worker", "No worker has that id any more.", "The page Workers lists those that are registered."}},
	{queue.ErrCursor, trouble{400, "This page has moved", "The link belongs to another listing.", "Start again at the first page of Jobs."}},
	{queue.ErrLayout, trouble{503, "Too old", "The data in Redis is of a newer version than this process.", "Upgrade this server, and load the page again."}},
	{queue.ErrUnavailable, slow},
	{queue.ErrOutcomeUnknown, slow},
	{context.DeadlineExceeded, slow},
	{context.Canceled, slow},
}

var slow = trouble{503, "Redis does not answer", "Redis does not answer this process, or not in time. Jobs that are scheduled stay where they are.",
	"Load the page again in a few seconds. If it stays so: look at the server's log and at /readyz, and check that Redis runs and REDIS_URL names it."}

var fault = trouble{500, "A fault", "Something is wrong with this page.", "The server's log says more. Load the page again; if it stays so, report it."}

func troubleOf(err error) trouble {
	var scope *scopeError
	var invalid *queue.InvalidError
	switch {
	case errors.As(err, &scope):
		return trouble{403, "Not allowed", "This needs a token with the scope " + scope.scope + ", which yours does not have.",
			"Sign out, and sign in with a token that has it: punctual token --scope \"" + scopeRead + " " + scope.scope + "\" prints one."}
	case errors.As(err, &invalid):
		return trouble{422, "Not possible", "The value of " + invalid.Field + " " + invalid.Reason + ".", "Go back, correct it and send it again."}
	}
	for _, t := range troubles {
		if errors.Is(err, t.err) {
			return t.trouble
		}
	}
	return fault
}

// trouble answers an error with its page.
func (v *visit) trouble(err error) {
	t := troubleOf(err)
	if v.note.Err == nil && t.Status >= 500 {
		v.note.Err = err
	}
	if t.Status == http.StatusServiceUnavailable || t.Status == http.StatusTooManyRequests {
		v.w.Header().Set("Retry-After", "3")
	}
	f := v.frame("trouble", t.Title, time.Now(), t)
	if f.Notice = nil; t.Status == http.StatusServiceUnavailable && v.r.Method == http.MethodGet {
		f.Again = 10 // a screen on a wall comes back by itself
	}
	if err := v.render("trouble", t.Status, f); err != nil {
		panic(err) // a test renders it
	}
}

// refuse answers who is not signed in.
func (u *ui) refuse(w http.ResponseWriter, r *http.Request, err error) {
	v := &visit{u: u, w: w, r: r, note: Note{Route: r.Pattern}}
	if errors.Is(err, ErrToken) || errors.Is(err, errSignIn) {
		v.note.Err = err
		u.askIn(v, err)
		return
	}
	v.trouble(err)
}

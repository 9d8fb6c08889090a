package ui

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// cookieName is the cookie that holds the token. signedOut in its place: no token, and do not make one either.
const (
	cookieName = "punctual_ui"
	signedOut  = "-"
	// maxToken: browsers drop a cookie of more than 4 KiB, name and all.
	maxToken = 3800
)

// who asks: the cookie tells, or, in develop, that the browser is on this machine.
func (u *ui) who(w http.ResponseWriter, r *http.Request) (Caller, error) {
	token := ""
	if c, err := r.Cookie(cookieName); err == nil {
		token = c.Value
	}
	caller, err := Caller{}, errSignIn
	if token != "" && token != signedOut {
		caller, err = u.Admit(r, token)
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if (errors.Is(err, errSignIn) || errors.Is(err, ErrToken)) && token != signedOut && u.AutoSignIn != nil && reads && isLocal(r) && !fromElsewhere(r) {
		if token, err = u.AutoSignIn(); err != nil {
			return Caller{}, err
		}
		if caller, err = u.Admit(r, token); err == nil {
			setCookie(w, r, token, caller.Expires)
		}
	}
	return caller, err
}

// fromElsewhere tells whether a page of another site leads here.
func fromElsewhere(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Site") == "cross-site" }

// isLocal tells whether a browser on this machine asks, for a name of this machine: a page of another name that was made to lead here
// has its own name in Host. A proxy on this machine would make everybody local, so what a proxy adds is looked for.
func isLocal(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return isLoopback(r.RemoteAddr, false) && isLoopback(r.Host, true)
}

func isLoopback(hostport string, names bool) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || names && strings.EqualFold(host, "localhost")
}

// setCookie keeps the token in the browser, for as long as the token lives. The browser itself says that it speaks HTTPS, which a
// proxy may end before us.
func setCookie(w http.ResponseWriter, r *http.Request, token string, expires time.Time) {
	c := &http.Cookie{Name: cookieName, Value: token, Path: "/ui", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://")}
	if !expires.IsZero() {
		if c.MaxAge = int(time.Until(expires) / time.Second); c.MaxAge < 1 {
			return // it is good for the leeway of the clocks only
		}
	}
	http.SetCookie(w, c)
}

// signInForm is the page that asks for a token.
type signInForm struct {
	Next     string // where to go then
	Wrong    string // what was wrong with the last token
	CameFrom bool   // from another site: the cookie was not sent along, and a click here sends it
}

// askIn answers a page that needs somebody who is signed in.
func (u *ui) askIn(v *visit, err error) {
	form := signInForm{Next: "/ui", CameFrom: fromElsewhere(v.r)}
	if v.r.Method == http.MethodGet && isOwn(v.r.URL.EscapedPath()) {
		form.Next = v.r.URL.RequestURI()
	}
	if errors.Is(err, ErrToken) {
		form.Wrong = "Your session has ended: the token that was kept here is not good any more."
	}
	v.askIn(http.StatusUnauthorized, form)
}

func (v *visit) askIn(status int, form signInForm) {
	if status == http.StatusUnauthorized {
		v.w.Header().Set("WWW-Authenticate", `Bearer realm="punctual"`)
	}
	if err := v.render("sign-in", status, v.frame("sign-in", "Sign in", time.Now(), form)); err != nil {
		panic(err) // a test renders it
	}
}

func (u *ui) signInPage(w http.ResponseWriter, r *http.Request) {
	v := &visit{u: u, w: w, r: r, note: Note{Route: r.Pattern}}
	v.askIn(http.StatusOK, signInForm{Next: ownOrHome(r.URL.Query().Get("next"))})
}

// signIn takes a token from the form. A token that is not good gives one answer, whatever is wrong with it.
func (u *ui) signIn(w http.ResponseWriter, r *http.Request) {
	v := &visit{u: u, w: w, r: r, note: Note{Route: r.Pattern}}
	if err := v.readForm(); err != nil {
		v.trouble(err)
		return
	}
	next := ownOrHome(r.PostForm.Get("next"))
	token := strings.TrimSpace(r.PostForm.Get("token"))
	token = strings.TrimSpace(strings.TrimPrefix(token, "Bearer "))
	switch caller, err := u.Admit(r, token); {
	case len(token) > maxToken:
		v.askIn(http.StatusUnauthorized, signInForm{Next: next, Wrong: "This token is too long for a browser to keep: take one with fewer claims."})
	case errors.Is(err, ErrToken):
		v.note.Err = err
		v.askIn(http.StatusUnauthorized, signInForm{Next: next, Wrong: "This token is not good: it may have expired, or be for another server. Get a new one."})
	case err != nil:
		v.trouble(err)
	case !caller.May(scopeRead):
		v.askIn(http.StatusForbidden, signInForm{Next: next, Wrong: "This token lacks the scope " + scopeRead + ", which every page here needs."})
	default:
		setCookie(w, r, token, caller.Expires)
		v.tell()
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

// signOut forgets the token. The browser keeps a word in its place, so that it is not signed in again by itself.
func (u *ui) signOut(w http.ResponseWriter, r *http.Request) {
	v := &visit{u: u, w: w, r: r, note: Note{Route: r.Pattern}}
	setCookie(w, r, signedOut, time.Time{})
	v.tell()
	http.Redirect(w, r, "/ui/sign-in", http.StatusSeeOther)
}

// isOwn tells whether a path is one of the dashboard's.
func isOwn(path string) bool { return path == "/ui" || strings.HasPrefix(path, "/ui/") }

// ownOrHome keeps a redirect within the dashboard.
func ownOrHome(to string) string {
	path, query, ok := cutQuery(to)
	if ok && len(query) > 0 {
		return path + "?" + query.Encode()
	}
	return path
}

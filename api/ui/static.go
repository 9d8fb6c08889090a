package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed static/app.css static/app.js static/icon.svg
var staticFiles embed.FS

// asset is a file whose address has a hash of its content, so that browsers may keep it for ever.
type asset struct {
	kind string
	body []byte
}

type assetSet struct {
	byURL map[string]asset  // app.<hash>.css
	urls  map[string]string // app.css → /ui/static/app.<hash>.css
}

func (a assetSet) url(name string) string { return a.urls[name] }

var assets = func() assetSet {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	set := assetSet{map[string]asset{}, map[string]string{}}
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		body, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum, ext := sha256.Sum256(body), path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
		set.byURL[hashed], set.urls[name] = asset{kinds[ext], body}, "/ui/static/"+hashed
	}
	return set
}()

// static answers with a file. It needs no token: the page that asks for one has the same style.
func (u *ui) static(w http.ResponseWriter, r *http.Request) {
	file, ok := assets.byURL[r.PathValue("name")]
	if !ok {
		u.refuse(w, r, errNoPage)
		return
	}
	if u.Tell != nil {
		u.Tell(r, Note{Route: r.Pattern})
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.body)
}

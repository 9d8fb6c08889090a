// Command punctual is for people: dev shows everything at work, token makes a token. Run it with -h to see more.
package main

import (
	"os"

	"github.com/punctualq/punctual/cmd/internal/app"
)

func main() { os.Exit(app.Main(app.Punctual)) }

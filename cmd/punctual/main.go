// Command punctual is for people: it shows and steers jobs, queues and workers, and dev shows everything at work. Run it with -h to see more.
package main

import (
	"os"

	"github.com/punctualq/punctual/cmd/internal/app"
)

func main() { os.Exit(app.Main(app.Punctual)) }

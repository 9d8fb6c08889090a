// Command jobqueue is the worker: it runs jobs when they are due. Run it with -h to see its settings.
package main

import (
	"os"

	"github.com/punctualq/punctual/cmd/internal/app"
)

func main() { os.Exit(app.Main(app.Jobqueue)) }

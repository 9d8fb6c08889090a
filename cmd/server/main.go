// Command server takes jobs in over HTTP and takes back the jobs of dead workers. Run it with -h to see its settings.
package main

import (
	"os"

	"github.com/punctualq/punctual/cmd/internal/app"
)

func main() { os.Exit(app.Main(app.Server)) }

// Command ulogkit takes the binary logs and crash dumps of devices running the
// uLogger agent to the cloud and shows what they hold. It is flags and printing
// only; the work is done by the packages it imports. "ulogkit --help" lists the
// commands, "ulogkit COMMAND --help" shows an example of each.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(execute(newRoot())) }

// execute runs the command line until it ends or is interrupted, and returns the
// exit code.
func execute(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, root, os.Args[1:])
}

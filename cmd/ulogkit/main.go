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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, newRoot(), os.Args[1:])
	stop()
	os.Exit(code)
}

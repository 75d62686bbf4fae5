// Command orderflow is the one binary of the system: the embedded stack, the
// services, and the tools.
//
// A command lives in a file of its own named after it and is made by a function
//
//	func newXCommand(env *environment) *cobra.Command
//
// that is listed in commands (root.go). Its RunE finds in env the validated
// configuration, the logger and the output streams, takes its context from
// cmd.Context() (which ends on SIGINT and SIGTERM), and returns its error: main
// prints it as one line on stderr and exits with code 1, or that of an exitError.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, lookupEnv func(string) (string, bool)) int {
	root := newRootCommand(&environment{stdout: stdout, stderr: stderr, lookupEnv: lookupEnv})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "orderflow: "+oneLine(err.Error()))
		return exitCode(err)
	}
	return 0
}

// oneLine joins the lines of a message, so that an error is one line for people and log collectors.
func oneLine(msg string) string {
	lines := strings.FieldsFunc(msg, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

// The generate command writes docs/sql-support.md. Its argument is the repository's
// root.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("generating %s: want one argument, the repository's root, got %d", reference.Path, len(args))
	}
	text, err := reference.Render(args[0])
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(args[0], reference.Path), text, 0o644); err != nil {
		return fmt.Errorf("generating %s: %w", reference.Path, err)
	}
	return nil
}

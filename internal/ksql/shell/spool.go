package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool writes results into a file besides the output.
type spool struct {
	out  io.Writer
	file *os.File // nil when nothing is spooled
}

func (s *spool) over(out io.Writer) io.Writer {
	s.out = out
	return s
}

// Write writes to the output and into the file.
func (s *spool) Write(p []byte) (int, error) {
	if s.file != nil {
		if _, err := s.file.Write(p); err != nil {
			return 0, fmt.Errorf("writing the spool file: %w", err)
		}
	}
	return s.out.Write(p)
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	if err := file.Close(); err != nil {
		return fmt.Errorf("closing the spool file: %w", err)
	}
	return nil
}

func (s *Shell) spoolTo(_ context.Context, args []string) error {
	switch {
	case len(args) == 0 && s.spool.file == nil:
		return s.say("Nothing is spooled.")
	case len(args) == 0:
		return s.say("Results are written to %s too.", s.spool.file.Name())
	case args[0] == "off" || args[0] == "OFF":
		return s.spool.close()
	case s.spool.file != nil:
		return errors.New("a file is being written already: end that with `spool off` first")
	}
	file, err := os.OpenFile(args[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the spool file: %w", err)
	}
	s.spool.file = file
	return nil
}

package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	prompt     = "ksql> "
	morePrompt = "    > "
)

// ErrInterrupted is an Editor's error when Ctrl-C was typed while it read.
var ErrInterrupted = errors.New("interrupted while typing")

// Editor reads what a person types at a terminal, prompts included.
type Editor interface {
	// Read returns a text that is Complete. The error is io.EOF when the person
	// is done (Ctrl-D), and ErrInterrupted when what was typed is to be forgotten.
	Read() (string, error)
}

type input struct {
	text string
	err  error
}

// inputs hands out inputs one by one: nothing is read while a statement runs, so
// that Ctrl-C is a signal then and not a key.
type inputs struct {
	shell *Shell
	ask   chan struct{}
	got   chan input
}

// inputs starts to read. Its goroutine ends with the input, or with the first one
// after ctx.
func (s *Shell) inputs(ctx context.Context) *inputs {
	in := &inputs{shell: s, ask: make(chan struct{}, 1), got: make(chan input)}
	read := s.readLines()
	if s.config.Editor != nil {
		read = s.config.Editor.Read
	}
	go func() {
		defer close(in.got)
		for {
			select {
			case <-in.ask:
			case <-ctx.Done():
				return
			}
			text, err := read()
			if errors.Is(err, io.EOF) {
				return
			}
			select {
			case in.got <- input{text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, ErrInterrupted) {
				return
			}
		}
	}()
	return in
}

// next asks for the next input, and prompts for it where no editor does. more says
// that it goes on with what was begun.
func (in *inputs) next(more bool) <-chan input {
	if in.shell.config.Editor == nil && in.shell.config.Interactive {
		text := prompt
		if more {
			text = morePrompt
		}
		fmt.Fprint(in.shell.config.Err, text)
	}
	select {
	case in.ask <- struct{}{}:
	default: // reading has ended
	}
	return in.got
}

func (s *Shell) readLines() func() (string, error) {
	reader := bufio.NewReader(s.config.In)
	return func() (string, error) {
		text, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		return strings.TrimRight(text, "\r\n"), err
	}
}

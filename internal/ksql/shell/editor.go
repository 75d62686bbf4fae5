package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reeflective/readline"

	"github.com/orderflow/orderflow/internal/ksql"
)

// lineEditor is an Editor at the terminal of the standard input.
type lineEditor struct {
	readline *readline.Shell
	catalog  *catalog
}

// NewEditor makes an Editor that reads at the terminal of the standard input: with
// history that lasts, kept in historyFile ("" keeps none), with search in it
// (Ctrl-R), several lines, and completion by what the server has.
func NewEditor(ctx context.Context, client *ksql.Client, historyFile string) (Editor, error) {
	rl := readline.NewShell()
	e := &lineEditor{readline: rl, catalog: &catalog{client: client}}
	rl.Prompt.Primary(func() string { return prompt })
	rl.Prompt.Secondary(func() string { return morePrompt })
	rl.AcceptMultiline = func(line []rune) bool { return Complete(string(line)) }
	rl.Completer = func(line []rune, cursor int) readline.Completions {
		ctx, cancel := context.WithTimeout(ctx, catalogPatience)
		defer cancel()
		part, words := e.catalog.complete(ctx, string(line[:cursor]), string(line[cursor:]))
		completions := readline.CompleteValues(words...).NoSpace('.')
		completions.PREFIX = part
		return completions
	}
	if historyFile == "" {
		return e, nil
	}
	if err := os.MkdirAll(filepath.Dir(historyFile), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the history: %w", err)
	}
	file, err := os.OpenFile(historyFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	history, err := readline.NewHistoryFromFile(historyFile)
	if err != nil {
		return nil, fmt.Errorf("opening the history %s: %w", historyFile, err)
	}
	rl.History.Add("statements", history)
	return e, nil
}

// Read reads what is typed up to a complete text.
func (e *lineEditor) Read() (string, error) {
	text, err := e.readline.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		return "", ErrInterrupted
	}
	return text, err
}

func (e *lineEditor) sourcesChanged(client *ksql.Client) { e.catalog.forget(client) }

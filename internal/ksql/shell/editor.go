package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/chzyer/readline"

	"github.com/orderflow/orderflow/internal/ksql"
)

// mostKept is how many inputs the history file keeps.
const mostKept = 2000

// LineEditor is an Editor at a terminal: with history that lasts, search in it
// (Ctrl-R), and completion by what the server has.
type LineEditor struct {
	ctx     context.Context // of the completions' requests
	lines   *readline.Instance
	catalog *catalog
}

// NewLineEditor makes a LineEditor at the terminal of the standard streams.
// historyFile keeps what was typed; "" keeps nothing. Completions ask the server for
// as long as ctx lasts.
func NewLineEditor(ctx context.Context, client *ksql.Client, historyFile string) (*LineEditor, error) {
	e := &LineEditor{ctx: ctx, catalog: &catalog{client: client}}
	if historyFile != "" {
		if err := prepareHistory(historyFile); err != nil {
			return nil, err
		}
	}
	var err error
	e.lines, err = readline.NewEx(&readline.Config{
		Prompt: prompt, HistoryFile: historyFile, HistoryLimit: mostKept, HistorySearchFold: true,
		DisableAutoSaveHistory: true, AutoComplete: e,
	})
	if err != nil {
		return nil, fmt.Errorf("setting the terminal up: %w", err)
	}
	return e, nil
}

// prepareHistory makes a file that nobody else can read: statements may hold
// secrets.
func prepareHistory(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the history: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the history: %w", err)
	}
	return file.Close()
}

// Read reads lines until they are a complete text.
func (e *LineEditor) Read() (string, error) {
	var text strings.Builder
	e.lines.SetPrompt(prompt)
	for {
		line, err := e.lines.Readline()
		if errors.Is(err, readline.ErrInterrupt) {
			return "", ErrInterrupted
		}
		if errors.Is(err, io.EOF) && text.Len() > 0 {
			return text.String(), nil // the next read ends
		}
		if err != nil {
			return "", err
		}
		text.WriteString(line)
		if Complete(text.String()) {
			break
		}
		text.WriteByte('\n')
		e.lines.SetPrompt(morePrompt)
	}
	if strings.TrimSpace(text.String()) == "" {
		return "", nil
	}
	// The history's file has a line for each input.
	if err := e.lines.SaveHistory(strings.Join(strings.Split(text.String(), "\n"), " ")); err != nil {
		return "", fmt.Errorf("keeping the history: %w", err)
	}
	return text.String(), nil
}

// Close gives the terminal back.
func (e *LineEditor) Close() error { return e.lines.Close() }

// Do gives what may follow at the cursor, and how many characters of it stand there
// already.
func (e *LineEditor) Do(line []rune, pos int) (endings [][]rune, typed int) {
	ctx, cancel := context.WithTimeout(e.ctx, catalogPatience)
	defer cancel()
	part, words := e.catalog.complete(ctx, string(line[:pos]), string(line[pos:]))
	for _, word := range words {
		// Only endings can be given: they go on in the case that was begun in.
		ending := word[len(part):]
		if part != "" && part == strings.ToLower(part) && !strings.ContainsAny(word, "`.") {
			ending = strings.ToLower(ending)
		}
		endings = append(endings, []rune(ending))
	}
	return endings, len([]rune(part))
}

func (e *LineEditor) sourcesChanged(client *ksql.Client) { e.catalog.forget(client) }

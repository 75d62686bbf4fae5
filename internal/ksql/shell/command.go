package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var errExit = errors.New("exit")

// builtin is a command of the shell's own; statements go to the server.
type builtin struct {
	usage string
	help  string
	run   func(s *Shell, ctx context.Context, args []string) error
}

// builtins are known by their first word, in lower case. "run script" and "set cli"
// have two.
var builtins map[string]builtin

func init() {
	builtins = map[string]builtin{
		"help":       {"help [statement]", "show this, or how a statement is written", (*Shell).help},
		"exit":       {"exit", "end the shell, as quit and Ctrl-D do", exit},
		"quit":       {"quit", "end the shell", exit},
		"version":    {"version", "show the server's version", (*Shell).version},
		"server":     {"server [url]", "show the server, or go to another one", (*Shell).server},
		"output":     {"output [table|vertical|json]", "show or set how results are printed", (*Shell).setOutput},
		"history":    {"history", "show what was typed", (*Shell).showHistory},
		"clear":      {"clear", "clear the terminal", clearScreen},
		"spool":      {"spool [file|off]", "write results into a file too, or stop doing so", (*Shell).spoolTo},
		"run script": {"run script 'file'", "run the statements of a file", (*Shell).scriptCommand},
		"set cli":    {"set cli column-width|wrap value", "set the width of columns in characters (0: what fits), or whether long values are wrapped (on) or cut (off)", (*Shell).setCLI},
	}
}

// commandName is the key of the built-in command that a line is, "" when it is
// none.
func commandName(line string) string {
	words := strings.Fields(strings.ToLower(strings.TrimRight(strings.TrimSpace(line), "; ")))
	if len(words) == 0 || strings.Contains(strings.TrimSpace(line), "\n") {
		return ""
	}
	if len(words) > 1 {
		if name := words[0] + " " + words[1]; name == "run script" || name == "set cli" {
			return name
		}
	}
	if _, ok := builtins[words[0]]; ok {
		return words[0]
	}
	return ""
}

// command finds the built-in command that a line is.
func (s *Shell) command(line string) (run func(context.Context) error, ok bool) {
	name := commandName(line)
	if name == "" {
		return nil, false
	}
	words := strings.Fields(strings.TrimRight(strings.TrimSpace(line), "; "))
	args := words[len(strings.Fields(name)):]
	if name == "run script" {
		args = []string{line} // the file's name may have spaces
	}
	return func(ctx context.Context) error { return builtins[name].run(s, ctx, args) }, true
}

func exit(*Shell, context.Context, []string) error { return errExit }

func (s *Shell) say(format string, args ...any) error {
	_, err := fmt.Fprintf(s.config.Out, format+"\n", args...)
	return err
}

func (s *Shell) version(ctx context.Context, _ []string) error {
	info, err := s.client.Info(ctx)
	if err != nil {
		return err
	}
	return s.say("Version: %s", info.Version)
}

func (s *Shell) server(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return s.say("%s", s.client.URL())
	}
	if s.config.Dial == nil {
		return errors.New("this shell stays with its server")
	}
	client, err := s.config.Dial(args[0])
	if err != nil {
		return err
	}
	info, err := client.Info(ctx)
	if err != nil {
		client.Close()
		return fmt.Errorf("the server stays %s: %w", s.client.URL(), err)
	}
	if s.client != s.config.Client {
		s.client.Close()
	}
	s.client = client
	s.changed()
	return s.say("Server now: %s, version %s", client.URL(), info.Version)
}

func (s *Shell) setOutput(_ context.Context, args []string) error {
	if len(args) == 0 {
		return s.say("Current output: %s", s.output)
	}
	output, err := ParseOutput(args[0])
	if err != nil {
		return err
	}
	s.use(output)
	return s.say("Output set to %s", output)
}

func (s *Shell) setCLI(_ context.Context, args []string) error {
	if len(args) == 2 {
		switch strings.ToLower(args[0]) {
		case "column-width":
			if width, err := strconv.Atoi(args[1]); err == nil && width >= 0 && width <= maxColumnWidth {
				s.layout.column = width
				return nil
			}
			return fmt.Errorf("%q is no width: give 0 to %d", args[1], maxColumnWidth)
		case "wrap":
			if value := strings.ToLower(args[1]); value == "on" || value == "off" {
				s.layout.wrap = value == "on"
				return nil
			}
			return fmt.Errorf("%q is neither on nor off", args[1])
		}
	}
	return errors.New("usage: " + builtins["set cli"].usage)
}

// mostHistory is how many inputs `history` shows.
const mostHistory = 500

func (s *Shell) remember(text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	s.history = append(s.history, text)
	if len(s.history) > mostHistory {
		s.history = slices.Delete(s.history, 0, len(s.history)-mostHistory)
	}
}

func (s *Shell) showHistory(context.Context, []string) error {
	for i, text := range s.history {
		if err := s.say("%4d: %s", i+1, strings.ReplaceAll(text, "\n", "\n      ")); err != nil {
			return err
		}
	}
	return nil
}

func clearScreen(s *Shell, _ context.Context, _ []string) error {
	if !s.config.Interactive {
		return nil
	}
	_, err := fmt.Fprint(s.config.Err, "\x1b[H\x1b[2J")
	return err
}

// maxScriptDepth bounds scripts that run scripts.
const maxScriptDepth = 16

var scriptPattern = regexp.MustCompile(`(?is)^RUN\s+SCRIPT\s+('(?:[^']|'')*'|\S+?)\s*;?$`)

// scriptOf finds the file of a run script command.
func scriptOf(statement string) (file string, ok bool) {
	match := scriptPattern.FindStringSubmatch(strings.TrimSpace(statement))
	if match == nil {
		return "", false
	}
	file = match[1]
	if strings.HasPrefix(file, "'") {
		file = strings.ReplaceAll(file[1:len(file)-1], "''", "'")
	}
	return file, true
}

func (s *Shell) scriptCommand(ctx context.Context, statement []string) error {
	text, _, err := s.session.Prepare(statement[0])
	if err != nil {
		return err
	}
	file, ok := scriptOf(text)
	if !ok {
		return errors.New("usage: " + builtins["run script"].usage)
	}
	return s.runScript(ctx, file)
}

func (s *Shell) runScript(ctx context.Context, file string) error {
	if s.depth++; s.depth > maxScriptDepth {
		return fmt.Errorf("scripts run each other more than %d deep", maxScriptDepth)
	}
	defer func() { s.depth-- }()
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading a script: %w", err)
	}
	if err := s.execute(ctx, string(text)); err != nil {
		if errors.Is(err, errInterrupted) || errors.Is(err, errExit) {
			return err
		}
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return nil
}

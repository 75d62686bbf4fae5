package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// migrateAnswer is what `--output json` prints, one object a command.
type migrateAnswer struct {
	Result   any           `json:"result,omitempty"`
	Error    *migrateError `json:"error,omitempty"`
	ExitCode int           `json:"exitCode"`
}

// migrateError is an error in a migrateAnswer.
type migrateError struct {
	Message string `json:"message"`
	// File, Line, Column and Statement say where in the migrations it is.
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Statement string `json:"statement,omitempty"`
	// KsqlDBCode is ksqlDB's error code.
	KsqlDBCode int `json:"ksqldbCode,omitempty"`
	// Applied are applied files that were changed or are missing.
	Applied []*migrate.HistoryError `json:"applied,omitempty"`
}

func migrateErrorOf(err error) *migrateError {
	if err == nil {
		return nil
	}
	e := &migrateError{Message: err.Error(), Applied: migrate.HistoryErrors(err)}
	var file *migrate.FileError
	if errors.As(err, &file) {
		e.File, e.Line, e.Column, e.Statement = file.File, file.Line, file.Col, file.Statement
	}
	var resume *migrate.ResumeError
	if errors.As(err, &resume) {
		e.File, e.Statement = resume.File, resume.Statement
	}
	var refused *ksql.Error
	if errors.As(err, &refused) {
		e.KsqlDBCode = refused.Code
	}
	return e
}

// print prints the result of a command, as text by text unless it failed, or as
// JSON, and returns the command's error with its exit code.
func (t *migrateTool) print(result any, err error, text func(*textOutput)) error {
	err = migrateExit(err)
	if t.output == "json" {
		encoder := json.NewEncoder(t.env.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		answer := migrateAnswer{Result: result, Error: migrateErrorOf(err), ExitCode: exitCode(err)}
		return errors.Join(err, encoder.Encode(answer))
	}
	var out textOutput
	if err == nil && text != nil {
		text(&out)
	}
	for _, changed := range migrate.HistoryErrors(err) {
		if changed.Diff != "" {
			out.text.WriteString(strings.TrimRight(changed.Diff, "\n") + "\n")
		}
	}
	return errors.Join(err, out.print(t.env.stdout))
}

// textOutput collects lines.
type textOutput struct{ text strings.Builder }

func (o *textOutput) linef(format string, args ...any) {
	fmt.Fprintf(&o.text, format+"\n", args...)
}

func (o *textOutput) print(w io.Writer) error {
	_, err := io.WriteString(w, o.text.String())
	return err
}

// migrateRun are the flags of commands that run files.
type migrateRun struct {
	defines []string
	wait    time.Duration
}

func (r *migrateRun) addFlags(cmd *cobra.Command, tool *migrateTool) {
	addDefineFlag(cmd, &r.defines)
	cmd.Flags().DurationVar(&r.wait, "wait", migrate.DefaultQueryWait, "longest wait until the new queries run (0: none)")
	cmd.Flags().StringVar(&tool.headersFile, "headers", "", "file of headers for every request, name=value a line")
}

func addDefineFlag(cmd *cobra.Command, defines *[]string) {
	cmd.Flags().StringArrayVarP(defines, "define", "d", nil, "value of a variable, name=value (may be given more than once)")
}

// config returns a configuration that tells what is being done.
func (r *migrateRun) config(tool *migrateTool, quiet bool) (migrate.Config, error) {
	variables, err := parseDefines(r.defines)
	if err != nil {
		return migrate.Config{}, err
	}
	config := migrate.Config{Variables: variables, QueryWait: r.wait}
	if r.wait <= 0 {
		config.QueryWait = -1
	}
	if !quiet {
		progress := tool.env.stdout
		if tool.output == "json" {
			progress = tool.env.stderr
		}
		config.Observe = (&migrateProgress{out: progress, live: isTerminal(progress), now: time.Now}).observe
	}
	return config, nil
}

// migrateProgress shows what apply and undo are at: a line for each file and
// statement. At a terminal, the line of a wait is written anew while it lasts.
type migrateProgress struct {
	out   io.Writer
	live  bool // out is a terminal
	now   func() time.Time
	since time.Time // of a wait; zero when there is none
}

// observe is a migrate.Config's Observe. Errors of writing show up when the report
// is printed.
func (p *migrateProgress) observe(e migrate.Event) {
	if e.Waiting > 0 {
		p.wait(e.Waiting)
		return
	}
	p.end()
	switch {
	case e.Done, e.Waited:
	case e.Statement != "":
		fmt.Fprintf(p.out, "  %d/%d line %d: %s\n", e.Index+1, e.Total, e.Line, e.Effect)
	case e.Index > 0:
		fmt.Fprintf(p.out, "going on with %s after %d of %d statements\n", e.File.Path, e.Index, e.Total)
	default:
		fmt.Fprintf(p.out, "applying %s\n", e.File.Path)
	}
}

func (p *migrateProgress) wait(queries int) {
	first := p.since.IsZero()
	if first {
		p.since = p.now()
	}
	switch {
	case p.live:
		fmt.Fprintf(p.out, "\r\x1b[Kwaiting until %d new queries run (%d s)", queries, int(p.now().Sub(p.since).Seconds()))
	case first:
		fmt.Fprintf(p.out, "waiting until %d new queries run\n", queries)
	}
}

// end ends the line of a wait.
func (p *migrateProgress) end() {
	if p.live && !p.since.IsZero() {
		fmt.Fprintln(p.out)
	}
	p.since = time.Time{}
}

// migrateReport is a migrate.Report as JSON.
type migrateReport struct {
	Previous     int                    `json:"previous"`
	Current      int                    `json:"current"`
	DryRun       bool                   `json:"dryRun"`
	Files        []migrateReportFile    `json:"files"`
	NotValidated []string               `json:"notValidated,omitempty"`
	NotRunning   []migrate.StalledQuery `json:"notRunning,omitempty"`
}

type migrateReportFile struct {
	migrate.File
	Statements []string `json:"statements"`
	Resumed    int      `json:"resumed,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
	TookMS     int64    `json:"tookMs"`
}

// printReport prints what apply or undo did; verb is what happened to the files.
func (t *migrateTool) printReport(report migrate.Report, verb string, dryRun bool, runErr error) error {
	if runErr == nil && len(report.NotRunning) > 0 {
		runErr = &exitError{6, fmt.Errorf("all is %s, but %d of its queries do not run: %s", verb, len(report.NotRunning), stalledText(report.NotRunning))}
	}
	if t.output != "json" {
		// What was done is told also when something failed.
		var out textOutput
		out.report(report, verb, dryRun, runErr)
		if err := out.print(t.env.stdout); err != nil {
			return errors.Join(runErr, err)
		}
		return t.print(nil, runErr, nil)
	}
	result := migrateReport{Previous: report.Previous, Current: report.Current, DryRun: dryRun, Files: []migrateReportFile{},
		NotValidated: report.NotValidated, NotRunning: report.NotRunning}
	for _, file := range report.Applied {
		result.Files = append(result.Files, migrateReportFile{
			File: file.File, Statements: file.Statements, Resumed: file.Resumed, Warnings: file.Warnings, TookMS: file.Took.Milliseconds(),
		})
	}
	return t.print(result, runErr, nil)
}

func stalledText(queries []migrate.StalledQuery) string {
	texts := make([]string, len(queries))
	for i, q := range queries {
		texts[i] = q.ID + " is " + q.State
		if len(q.Errors) > 0 {
			texts[i] += " (" + oneLine(q.Errors[len(q.Errors)-1]) + ")"
		}
	}
	return strings.Join(texts, ", ")
}

func (o *textOutput) report(report migrate.Report, verb string, dryRun bool, runErr error) {
	switch {
	case dryRun:
		for _, file := range report.Applied {
			o.linef("%s (%d statements)", file.Path, len(file.Statements))
			for _, statement := range file.Statements {
				o.linef("  %s", strings.ReplaceAll(statement, "\n", "\n  "))
			}
		}
		o.linef("%d migrations would be %s; nothing was", len(report.Applied), verb)
	case len(report.Applied) > 0:
		statements := 0
		var took time.Duration
		for _, file := range report.Applied {
			statements += len(file.Statements) - file.Resumed
			took += file.Took
		}
		o.linef("%s %d migrations with %d statements in %s; the current version is %d",
			verb, len(report.Applied), statements, took.Round(time.Millisecond), report.Current)
	case runErr == nil:
		o.linef("nothing to do; the current version is %d", report.Current)
	}
	for _, file := range report.Applied {
		for _, warning := range file.Warnings {
			o.linef("the server warns of %s %s", file.Path, oneLine(warning))
		}
	}
	for _, what := range report.NotValidated {
		o.linef("not validated before it ran: %s", oneLine(what))
	}
}

// migrations adds the table that ksql-migrations prints.
func (o *textOutput) migrations(status migrate.Status) {
	table := [][]string{{"Version", "Name", "State", "Previous Version", "Started On", "Completed On", "Error Reason"}}
	for _, m := range status.Migrations {
		table = append(table, []string{
			fmt.Sprint(m.Version), m.Name, string(m.State), orNone(m.Previous),
			timeOrNone(m.StartedOn), timeOrNone(m.CompletedOn), orNone(shortened(oneLine(m.ErrorReason))),
		})
	}
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	current := "<none>"
	if status.Current > 0 {
		current = fmt.Sprint(status.Current)
	}
	o.linef("Current migration version: %s", current)
	length := 0
	for _, width := range widths {
		length += width + len(" | ")
	}
	rule := strings.Repeat("-", length-1)
	o.linef("%s", rule)
	for n, row := range table {
		for i, cell := range row {
			if i > 0 {
				o.text.WriteString("|")
			}
			o.text.WriteString(" " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		o.text.WriteString("\n")
		if n == 0 {
			o.linef("%s", rule)
		}
	}
	o.linef("%s", rule)
	for _, m := range status.Migrations {
		if reason := oneLine(m.ErrorReason); reason != shortened(reason) {
			o.linef("%s: %s", m.Path, reason)
		}
		if m.Resumption != nil {
			o.linef("%s goes on after %d statements", m.Path, m.Resumption.Done)
		}
	}
}

// longestText is how many characters of a reason or statement a line has.
const longestText = 120

func shortened(text string) string {
	if runes := []rune(text); len(runes) > longestText {
		return string(runes[:longestText-1]) + "…"
	}
	return text
}

func orNone(text string) string {
	if text == "" {
		return "N/A"
	}
	return text
}

func timeOrNone(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 MST")
}

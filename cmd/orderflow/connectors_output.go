package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/connectors"
)

// outputForm is how a command prints: text for people or JSON for programs.
type outputForm string

const (
	outputText outputForm = "text"
	outputJSON outputForm = "json"
)

// String gives the form's name.
func (f *outputForm) String() string { return string(*f) }

// Set takes a form by its name.
func (f *outputForm) Set(name string) error {
	switch form := outputForm(name); form {
	case outputText, outputJSON:
		*f = form
		return nil
	default:
		return fmt.Errorf("it must be %s or %s", outputText, outputJSON)
	}
}

// Type names what the flag takes.
func (f *outputForm) Type() string { return "form" }

func addOutputFlag(cmd *cobra.Command, output *outputForm) {
	*output = outputText
	cmd.Flags().VarP(output, "output", "o", "text or json")
}

// connectorsAnswer is what the connectors commands print as JSON.
type connectorsAnswer struct {
	Plan    []connectors.Item   `json:"plan,omitempty"`
	Status  []connectors.Status `json:"status,omitempty"`
	Deleted []string            `json:"deleted,omitempty"`
}

func printConnectorsJSON(w io.Writer, answer connectorsAnswer) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(answer)
}

func printConnectorPlan(w io.Writer, plan connectors.Plan) error {
	for _, item := range plan.Items {
		if _, err := fmt.Fprintf(w, "%-7s %s\n", item.Action, item.Name); err != nil {
			return err
		}
		for _, change := range item.Changes {
			if _, err := fmt.Fprintf(w, "          %s\n", change); err != nil {
				return err
			}
		}
	}
	return nil
}

func printStatuses(w io.Writer, list []connectors.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range list {
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Type, s.Connector.State, firstLine(s.Connector.Trace)); err != nil {
			return err
		}
		for _, t := range s.Tasks {
			if _, err := fmt.Fprintf(table, "  task %d\t\t%s\t%s\n", t.ID, t.State, firstLine(t.Trace)); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// firstLine gives the beginning of a trace with its last cause, which tells most.
func firstLine(trace string) string {
	const cause = "Caused by: "
	if i := strings.LastIndex(trace, cause); i >= 0 {
		trace = trace[i+len(cause):]
	}
	line, _, _ := strings.Cut(trace, "\n")
	return line
}

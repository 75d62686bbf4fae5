package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	files "github.com/orderflow/orderflow/connectors"
	"github.com/orderflow/orderflow/internal/connectors"
)

// newConnectorsCommand makes `orderflow connectors plan|apply|status|delete`.
func newConnectorsCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connectors",
		Short: "Bring the connectors of a Connect cluster to what their files say",
		Long: `Works with the connector files of connectors/ on any Connect cluster. Where a
file says ${env:NAME}, the environment variable NAME is put in. These say where
the Connect worker finds the others; they need not be set when that is where
orderflow itself finds them:
  ` + connectors.EnvCustomersJDBCURL + `       the customers database, jdbc:sqlite:PATH
  ` + connectors.EnvSchemaRegistry + `  the Schema Registry
  ` + connectors.EnvElasticsearch + `    Elasticsearch`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newConnectorsPlanCommand(env), newConnectorsApplyCommand(env), newConnectorsStatusCommand(env), newConnectorsDeleteCommand(env), newConnectorsRebuildCommand(env))
	return cmd
}

func newConnectorsPlanCommand(env *environment) *cobra.Command {
	var dir string
	var prune bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Validate the connector files and show what apply would do, changing nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			def, err := loadConnectors(env, dir)
			if err != nil {
				return err
			}
			plan, err := connectors.NewPlan(cmd.Context(), def, connectors.NewClient(env.config.ConnectURL(), env.access.connect), prune)
			if err != nil {
				return err
			}
			return printConnectorPlan(env.stdout, plan)
		},
	}
	addConnectorFlags(cmd, &dir, &prune)
	return cmd
}

func newConnectorsApplyCommand(env *environment) *cobra.Command {
	var dir string
	var options applyOptions
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Create and change connectors, put the index templates, wait until all run",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			def, err := loadConnectors(env, dir)
			if err != nil {
				return err
			}
			return applyDefinition(cmd.Context(), env, def, options, env.stdout)
		},
	}
	addConnectorFlags(cmd, &dir, &options.prune)
	cmd.Flags().BoolVar(&options.templates, "templates", true, "also put the index templates into Elasticsearch, before the connectors")
	cmd.Flags().DurationVar(&options.wait, "wait", connectorPatience, "how long to wait until all connectors run; 0 does not wait")
	return cmd
}

// connectorPatience is how long connectors may take to run after they were applied.
const connectorPatience = time.Minute

// applyOptions says what applying connectors includes.
type applyOptions struct {
	prune     bool
	templates bool
	wait      time.Duration // 0 does not wait
}

// applyConnectors applies the built-in connector files and waits until all run. The
// plan is printed to w.
func applyConnectors(ctx context.Context, env *environment, w io.Writer) error {
	def, err := loadConnectors(env, "")
	if err != nil {
		return err
	}
	return applyDefinition(ctx, env, def, applyOptions{templates: true, wait: connectorPatience}, w)
}

func applyDefinition(ctx context.Context, env *environment, def connectors.Definition, options applyOptions, w io.Writer) error {
	if options.templates {
		if err := connectors.PutTemplates(ctx, def, env.config.ElasticsearchURL(), env.access.elasticsearch); err != nil {
			return err
		}
	}
	client := connectors.NewClient(env.config.ConnectURL(), env.access.connect)
	plan, err := connectors.NewPlan(ctx, def, client, options.prune)
	if err != nil {
		return err
	}
	if err := printConnectorPlan(w, plan); err != nil {
		return err
	}
	if err := plan.Apply(ctx); err != nil {
		return err
	}
	if options.wait <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, options.wait)
	defer cancel()
	return client.Wait(ctx, def.Names())
}

func newConnectorsStatusCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "status [connector ...]",
		Short: "Show the state of connectors and their tasks; fails when one does not run",
		RunE: func(cmd *cobra.Command, names []string) error {
			client := connectors.NewClient(env.config.ConnectURL(), env.access.connect)
			if len(names) == 0 {
				var err error
				if names, err = client.Names(cmd.Context()); err != nil {
					return err
				}
			}
			table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
			var down []string
			for _, name := range names {
				status, err := client.Status(cmd.Context(), name)
				if err != nil {
					return err
				}
				if err := printStatus(table, status); err != nil {
					return err
				}
				if !status.Running() {
					down = append(down, name)
				}
			}
			if err := table.Flush(); err != nil {
				return err
			}
			if len(down) > 0 {
				return fmt.Errorf("not running: %s", strings.Join(down, ", "))
			}
			return nil
		},
	}
}

func newConnectorsDeleteCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "delete connector ...",
		Short: "Delete connectors; what they wrote stays",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			client := connectors.NewClient(env.config.ConnectURL(), env.access.connect)
			for _, name := range names {
				if err := client.Delete(cmd.Context(), name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func addConnectorFlags(cmd *cobra.Command, dir *string, prune *bool) {
	cmd.Flags().StringVar(dir, "dir", "", "folder with connector files (default: the ones built in)")
	cmd.Flags().BoolVar(prune, "prune", false, "delete the connectors of the cluster that no file describes")
}

// loadConnectors reads the connector files with the values that hold here.
func loadConnectors(env *environment, dir string) (connectors.Definition, error) {
	var fsys fs.FS = files.Files
	if dir != "" {
		fsys = os.DirFS(dir)
	}
	customers, err := filepath.Abs(env.config.CustomersDBPath())
	if err != nil {
		return connectors.Definition{}, fmt.Errorf("finding the customers database: %w", err)
	}
	return connectors.Load(fsys, connectors.WithDefaults(env.lookupEnv, map[string]string{
		connectors.EnvCustomersJDBCURL: "jdbc:sqlite:" + customers,
		connectors.EnvSchemaRegistry:   env.config.SchemaRegistryURL(),
		connectors.EnvElasticsearch:    env.config.ElasticsearchURL(),
	}))
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

func printStatus(w io.Writer, s connectors.Status) error {
	if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Type, s.Connector.State, firstLine(s.Connector.Trace)); err != nil {
		return err
	}
	for _, t := range s.Tasks {
		if _, err := fmt.Fprintf(w, "  task %d\t\t%s\t%s\n", t.ID, t.State, firstLine(t.Trace)); err != nil {
			return err
		}
	}
	return nil
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

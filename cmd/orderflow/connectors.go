package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	var output outputForm
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
			if output == outputJSON {
				return printConnectorsJSON(env.stdout, connectorsAnswer{Plan: plan.Items})
			}
			return printConnectorPlan(env.stdout, plan)
		},
	}
	addConnectorFlags(cmd, &dir, &prune)
	addOutputFlag(cmd, &output)
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
	addOutputFlag(cmd, &options.output)
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
	output    outputForm
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
	if options.output != outputJSON {
		if err := printConnectorPlan(w, plan); err != nil {
			return err
		}
	}
	if err := plan.Apply(ctx); err != nil {
		return err
	}
	if options.wait > 0 {
		waitCtx, cancel := context.WithTimeout(ctx, options.wait)
		defer cancel()
		if err := client.Wait(waitCtx, def.Names()); err != nil {
			return err
		}
	}
	if options.output != outputJSON {
		return nil
	}
	list, _, err := connectorStatuses(ctx, client, def.Names())
	if err != nil {
		return err
	}
	return printConnectorsJSON(w, connectorsAnswer{Plan: plan.Items, Status: list})
}

// connectorStatuses asks for the status of connectors, and names those that do not
// run.
func connectorStatuses(ctx context.Context, client *connectors.Client, names []string) (list []connectors.Status, down []string, err error) {
	list = []connectors.Status{}
	for _, name := range names {
		status, err := client.Status(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, status)
		if !status.Running() {
			down = append(down, name)
		}
	}
	return list, down, nil
}

func newConnectorsStatusCommand(env *environment) *cobra.Command {
	var output outputForm
	cmd := &cobra.Command{
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
			list, down, err := connectorStatuses(cmd.Context(), client, names)
			if err != nil {
				return err
			}
			if output == outputJSON {
				err = printConnectorsJSON(env.stdout, connectorsAnswer{Status: list})
			} else {
				err = printStatuses(env.stdout, list)
			}
			if err != nil {
				return err
			}
			if len(down) > 0 {
				return fmt.Errorf("not running: %s", strings.Join(down, ", "))
			}
			return nil
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

func newConnectorsDeleteCommand(env *environment) *cobra.Command {
	var output outputForm
	cmd := &cobra.Command{
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
			if output == outputJSON {
				return printConnectorsJSON(env.stdout, connectorsAnswer{Deleted: names})
			}
			return nil
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
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

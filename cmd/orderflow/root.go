package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/config"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// environment is what every command works with. config, log and access are set before a
// command's RunE is called, tracing by startTracing.
type environment struct {
	config    *config.Config
	log       *slog.Logger
	tracing   *telemetry.Tracing
	access    *serverAccess
	stdout    io.Writer
	stderr    io.Writer
	lookupEnv func(string) (string, bool)
}

// commands lists the makers of all commands. A new
// command is added here.
var commands = []func(*environment) *cobra.Command{
	newUpCommand,
	newAPICommand,
	newInventoryCommand,
	newEmailCommand,
	newPopulateCommand,
	newTopicsCommand,
	newMigrateCommand,
	newConnectorsCommand,
	newSQLCommand,
	newTestCommand,
	newDoctorCommand,
	newBenchCommand,
	newCredentialCommand,
}

func newRootCommand(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "orderflow",
		Short: "Order processing whose stream logic is ksqlDB SQL",
		Long: `orderflow takes orders over REST, has them checked by ksqlDB statements and an
inventory service, and answers with their final state.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	loader := config.NewLoader(root.PersistentFlags())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loader.Load(env.lookupEnv)
		if err != nil {
			return err
		}
		log, err := telemetry.NewLogger(env.stderr, cfg.LogLevel, cfg.LogFormat)
		if err != nil {
			return err
		}
		env.config, env.log = cfg, log
		if env.access, err = newServerAccess(cfg); err != nil {
			return err
		}
		return nil
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())
	})
	for _, newCommand := range commands {
		cmd := newCommand(env)
		refuseUnknown(cmd)
		root.AddCommand(cmd)
	}
	root.AddCommand(newSettingsTopic(loader))
	settings := root.PersistentFlags()
	root.SetUsageFunc(func(cmd *cobra.Command) error { return usage(cmd, settings) })
	return root
}

// refuseUnknown makes a command that only has subcommands show its help, and refuse a
// subcommand that it does not have. Cobra by itself takes any.
func refuseUnknown(cmd *cobra.Command) {
	if cmd.Runnable() {
		return
	}
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

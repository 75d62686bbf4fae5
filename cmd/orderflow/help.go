package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/orderflow/orderflow/internal/config"
)

// usualSettings are shown in each command's help; the others by `orderflow help settings`.
var usualSettings = []string{"config", "data-dir", "kafka", "schema-registry", "ksqldb", "connect", "elasticsearch", "log-level"}

// newSettingsTopic makes `orderflow help settings`.
func newSettingsTopic(loader *config.Loader) *cobra.Command {
	topic := &cobra.Command{Use: "settings", Short: "All settings: flags, environment variables and keys of the configuration file"}
	topic.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		out := cmd.OutOrStdout()
		fmt.Fprintf(out, `Settings are flags of every command. A setting is looked up in this order, and the
first that says it wins:

  1. the flag:                       --data-dir DIR
  2. the environment variable:       %s=DIR
  3. the file that --config names:   data-dir: DIR
  4. the default
`, config.EnvName("data-dir"))
		for _, g := range loader.Groups() {
			fmt.Fprintf(out, "\n%s:\n%s", g.Title, g.Flags.FlagUsages())
		}
	})
	return topic
}

// usage writes how a command is called: its subcommands, its own flags, and the usual settings.
func usage(cmd *cobra.Command, settings *pflag.FlagSet) error {
	out := cmd.OutOrStderr()
	fmt.Fprintln(out, "Usage:")
	if cmd.Runnable() {
		fmt.Fprintf(out, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(out, "  %s [command]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	writeCommands(out, cmd)
	own, usual := pflag.NewFlagSet("own", pflag.ContinueOnError), pflag.NewFlagSet("usual", pflag.ContinueOnError)
	usual.SortFlags = false
	add := func(f *pflag.Flag) {
		if settings.Lookup(f.Name) == nil {
			own.AddFlag(f)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	for _, name := range usualSettings {
		usual.AddFlag(settings.Lookup(name))
	}
	if own.HasAvailableFlags() {
		fmt.Fprintf(out, "\nFlags:\n%s", own.FlagUsages())
	}
	fmt.Fprintf(out, "\nUsual settings (`%s help settings` lists all):\n%s", cmd.Root().Name(), usual.FlagUsages())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\nUse \"%s [command] --help\" for more information about a command.\n", cmd.CommandPath())
	}
	return nil
}

func writeCommands(out io.Writer, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	fmt.Fprintln(out, "\nAvailable Commands:")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			fmt.Fprintf(out, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
}

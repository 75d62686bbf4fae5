package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/inventory"
	"github.com/orderflow/orderflow/internal/listen"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// newInventoryCommand runs one instance of the inventory service, and sets stock.
func newInventoryCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "Run the inventory service alone, or set the stock",
		Long: `Run one instance of the inventory service against running servers. Several
instances share the products. Health and metrics are on --inventory-listen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop, err := env.startTracing(cmd.Context(), "orderflow-inventory")
			if err != nil {
				return err
			}
			defer stop()
			health, metrics := &telemetry.Health{}, telemetry.NewRegistry()
			service, err := inventory.New(inventory.Config{
				Kafka:   serviceKafka(env, "inventory"),
				Health:  health,
				Metrics: metrics,
				Tracing: env.tracing,

				SnapshotDir: snapshotDir(env),
				Logger:      env.log.With("service", "inventory"),
			})
			if err != nil {
				return err
			}
			ops, err := listen.Bind(cmd.Context(), listen.Config{
				Name: "health and metrics", Addr: env.config.Listen.Inventory, Setting: "--inventory-listen", Logger: env.log,
			})
			if err != nil {
				return err
			}
			env.log.Info("running the inventory service", "health_address", ops.Addr())
			return together(cmd.Context(), env.config.ShutdownTimeout, service.Run, func(ctx context.Context) error {
				return ops.Run(ctx, telemetry.OpsHandler(health, metrics), env.config.ShutdownTimeout)
			})
		},
	}
	cmd.AddCommand(newInventorySetCommand(env))
	return cmd
}

// together runs parts until ctx ends or one of them fails, and waits for all, but after ctx
// has ended not longer than a stop may take.
func together(ctx context.Context, timeout time.Duration, parts ...func(context.Context) error) error {
	return runInTime(ctx, timeout, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		for _, part := range parts {
			g.Go(func() error { return part(ctx) })
		}
		return g.Wait()
	})
}

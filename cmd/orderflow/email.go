package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/email"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// newEmailCommand runs one instance of the e-mail service.
func newEmailCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "email",
		Short: "Run the e-mail service alone",
		Long: `Run one instance of the e-mail service against running servers. E-mails go to the
log. Health and metrics are on --email-listen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			health, metrics := &telemetry.Health{}, telemetry.NewRegistry()
			service, err := email.New(email.Config{
				Kafka:   serviceKafka(env, "email"),
				Health:  health,
				Metrics: metrics,
				Logger:  env.log.With("service", "email"),
			})
			if err != nil {
				return err
			}
			ln, err := telemetry.Listen(cmd.Context(), env.config.Listen.Email, "email-listen")
			if err != nil {
				return err
			}
			env.log.Info("running the e-mail service", "health_address", ln.Addr().String())
			return together(cmd.Context(), service.Run, func(ctx context.Context) error {
				return telemetry.ServeHTTP(ctx, ln, telemetry.OpsHandler(health, metrics), env.config.ShutdownTimeout)
			})
		},
	}
}

package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/email"
	"github.com/orderflow/orderflow/internal/listen"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// newEmailCommand runs one instance of the e-mail service.
func newEmailCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "email",
		Short: "Run the e-mail service alone",
		Long: `Run one instance of the e-mail service against running servers. E-mails go to the
mail server that --smtp names, or else to the log. Health and metrics are on
--email-listen.

What a mail server refuses for good, or too often, goes to the topic
email-dead-letters.v1 with the reason. While no mail server answers, e-mails wait.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop, err := env.startTracing(cmd.Context(), "orderflow-email")
			if err != nil {
				return err
			}
			defer stop()
			health, metrics := &telemetry.Health{}, telemetry.NewRegistry()
			cfg, err := emailConfig(env)
			if err != nil {
				return err
			}
			cfg.Health, cfg.Metrics = health, metrics
			service, err := email.New(cfg)
			if err != nil {
				return err
			}
			ops, err := listen.Bind(cmd.Context(), listen.Config{
				Name: "health and metrics", Addr: env.config.Listen.Email, Setting: "--email-listen", Logger: env.log,
			})
			if err != nil {
				return err
			}
			env.log.Info("running the e-mail service", "health_address", ops.Addr())
			return together(cmd.Context(), env.config.ShutdownTimeout, service.Run, func(ctx context.Context) error {
				return ops.Run(ctx, telemetry.OpsHandler(health, metrics), env.config.ShutdownTimeout)
			})
		},
	}
	cmd.AddCommand(newEmailTemplatesCommand(env))
	return cmd
}

// newEmailTemplatesCommand writes the templates that e-mails are made of.
func newEmailTemplatesCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "templates DIR",
		Short: "Write the built-in e-mail templates into a directory, to be edited there",
		Long: `Write the built-in e-mail templates into a directory. Files that it has already are
left alone. --email-templates DIR makes the e-mail service use them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			written, err := email.WriteTemplates(args[0])
			for _, name := range written {
				if _, err := fmt.Fprintln(env.stdout, filepath.Join(args[0], name)); err != nil {
					return err
				}
			}
			return err
		},
	}
}

// emailConfig returns the settings of an e-mail service, to which health and metrics
// are to be added.
func emailConfig(env *environment) (email.Config, error) {
	cfg := email.Config{Kafka: serviceKafka(env, "email"), Tracing: env.tracing, Logger: env.log.With("service", "email")}
	var err error
	if cfg.Templates, err = email.LoadTemplates(env.config.EmailTemplates); err != nil {
		return cfg, err
	}
	if smtp := env.config.SMTP; smtp.Address != "" {
		cfg.Sender, err = email.NewSMTPSender(email.SMTPConfig{
			Address: smtp.Address, From: smtp.From, Username: smtp.Username, Password: smtp.Password, TLS: smtp.TLS, CAFile: smtp.CAFile,
		})
	}
	return cfg, err
}

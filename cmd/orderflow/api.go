package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/api"
	"github.com/orderflow/orderflow/internal/config"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
)

// newAPICommand runs one instance of the REST API.
func newAPICommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "api",
		Short: "Run the orders API alone",
		Long: `Run one instance of the orders API against running servers. It needs Kafka, the
Schema Registry and ksqlDB, and Elasticsearch to search for orders; --kafka,
--schema-registry, --ksqldb and --elasticsearch say where they are.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stop, err := env.startTracing(cmd.Context(), "orderflow-api")
			if err != nil {
				return err
			}
			defer stop()
			cfg, err := apiConfig(env)
			if err != nil {
				return err
			}
			service, err := api.New(cfg)
			if err != nil {
				return err
			}
			env.log.Info("serving the API", "address", service.Addr(), "fraud_address", service.FraudAddr())
			return service.Run(cmd.Context())
		},
	}
}

// apiConfig returns the API's configuration, without what it shares with other
// services of its process.
func apiConfig(env *environment) (api.Config, error) {
	credentials, err := env.config.Security.API.Credentials()
	if err != nil {
		return api.Config{}, fmt.Errorf("--api-credentials: %w", err)
	}
	return api.Config{
		Listen:      env.config.Listen.API,
		FraudListen: env.config.Listen.Fraud,
		TLS:         env.config.Security.API.TLS,
		Credentials: credentials,
		Kafka:       serviceKafka(env, "api"),
		Ksql:        ksqlConfig(env),

		Elasticsearch:          env.config.ElasticsearchURL(),
		ElasticsearchTransport: env.access.elasticsearch,

		SnapshotDir:     snapshotDir(env),
		Tracing:         env.tracing,
		Logger:          env.log.With("service", "api"),
		ShutdownTimeout: env.config.ShutdownTimeout,
	}, nil
}

// snapshotDir returns where the services of this machine keep snapshots of the stock ledger.
func snapshotDir(env *environment) string { return filepath.Join(env.config.DataDir, "ledger") }

// serviceKafka returns how a service reaches Kafka and the Schema Registry.
func serviceKafka(env *environment, service string) kafka.Config {
	return kafka.Config{
		Brokers:        env.config.KafkaBrokers(),
		SchemaRegistry: env.config.SchemaRegistryURL(),
		ClientID:       "orderflow-" + service,
		Logger:         env.log.With(slog.String("service", service)),

		Options:           slices.Concat(env.access.kafka, env.tracing.KafkaOptions()),
		RegistryTransport: env.access.schemaRegistry,
	}
}

// ksqlTLS returns how to know the ksqlDB at url, where that asks for TLS.
func ksqlTLS(cfg *config.Config, url string) access.TLS {
	if !strings.HasPrefix(url, "https:") {
		return access.TLS{}
	}
	tls := cfg.Security.TLS
	tls.ServerName = cfg.KsqlDBServerName
	return tls
}

// ksqlConfig returns how a service reaches ksqlDB.
func ksqlConfig(env *environment) ksql.Config {
	return ksql.Config{
		URL:      env.config.KsqlDBURL(),
		Username: env.config.KsqlDBUsername,
		Password: env.config.KsqlDBPassword,
		TLS:      ksqlTLS(env.config, env.config.KsqlDBURL()),
		Logger:   env.log,
	}
}

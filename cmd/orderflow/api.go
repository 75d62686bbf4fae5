package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/api"
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
			service, err := api.New(api.Config{
				Listen:          env.config.Listen.API,
				FraudListen:     env.config.Listen.Fraud,
				Kafka:           serviceKafka(env, "api"),
				Ksql:            ksqlConfig(env),
				Elasticsearch:   env.config.ElasticsearchURL(),
				Logger:          env.log.With("service", "api"),
				ShutdownTimeout: env.config.ShutdownTimeout,
			})
			if err != nil {
				return err
			}
			env.log.Info("serving the API", "address", service.Addr(), "fraud_address", service.FraudAddr())
			return service.Run(cmd.Context())
		},
	}
}

// serviceKafka returns how a service reaches Kafka and the Schema Registry.
func serviceKafka(env *environment, service string) kafka.Config {
	return kafka.Config{
		Brokers:        env.config.KafkaBrokers(),
		SchemaRegistry: env.config.SchemaRegistryURL(),
		ClientID:       "orderflow-" + service,
		Logger:         env.log.With(slog.String("service", service)),
	}
}

// ksqlConfig returns how a service reaches ksqlDB.
func ksqlConfig(env *environment) ksql.Config {
	return ksql.Config{
		URL:      env.config.KsqlDBURL(),
		Username: env.config.KsqlDBUsername,
		Password: env.config.KsqlDBPassword,
		TLS:      ksql.TLS(env.config.KsqlDBTLS),
		Logger:   env.log,
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/api"
	"github.com/orderflow/orderflow/internal/connectors"
	"github.com/orderflow/orderflow/internal/customers"
	"github.com/orderflow/orderflow/internal/email"
	"github.com/orderflow/orderflow/internal/embedded"
	"github.com/orderflow/orderflow/internal/inventory"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/listen"
	"github.com/orderflow/orderflow/internal/populate"
	"github.com/orderflow/orderflow/internal/telemetry"
	"github.com/orderflow/orderflow/internal/topics"
)

// newUpCommand runs everything in one process.
func newUpCommand(env *environment) *cobra.Command {
	up := &up{env: env}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything in this process: servers, migrations, connectors, services",
		Long: `Start Kafka, Schema Registry, Elasticsearch, Connect and ksqlDB inside this
process, bring topics, ksqlDB statements and connectors up to date, and run the
orders API, the inventory and the e-mail service. Everything is kept in
--data-dir; the same directory starts it again with everything in place.

A server is left out when the address of a real one is given (--kafka,
--schema-registry, --connect, --ksqldb, --elasticsearch).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := runInTime(cmd.Context(), env.config.ShutdownTimeout, up.run)
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
				return nil // asked to stop
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&up.demo, "demo", false, "fill in stock, customers and a stream of orders and payments")
	cmd.Flags().IntVar(&up.demoOrders, "demo-orders", 100, "how many orders and payments --demo posts; 0 goes on until the end")
	cmd.Flags().Float64Var(&up.demoRate, "demo-rate", 20, "how many of them a second")
	cmd.Flags().StringVar(&up.migrations, "migrations", "", "folder with V*.sql and variables.properties to apply in place of the built-in ones")
	cmd.Flags().BoolVar(&up.sync, "sync", false, "write every record and commit through to the disk, so that it outlives the machine's end too")
	return cmd
}

type up struct {
	env        *environment
	demo       bool
	demoOrders int
	demoRate   float64
	sync       bool
	migrations string // folder; empty for the built-in ones

	health  *telemetry.Health
	metrics *prometheus.Registry
}

// stopMargin is what is left of the time for a stop when it is given up, so that the
// process ends within it.
const stopMargin = 250 * time.Millisecond

// runInTime runs until ctx ends, and after that not longer than a stop may take: what
// isn't finished then, on a full disk or without Kafka for example, goes on at the next
// start, as after a crash.
func runInTime(ctx context.Context, timeout time.Duration, run func(context.Context) error) error {
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(timeout - stopMargin)
	defer late.Stop()
	select {
	case err := <-ended:
		return err
	case <-late.C:
		return fmt.Errorf("stopping took longer than %v (--shutdown-timeout), so the process ended in the middle of it: what was acknowledged is kept, and the rest goes on at the next start", timeout)
	}
}

func (u *up) run(ctx context.Context) (err error) {
	began := time.Now()
	cfg, err := u.stackConfig()
	if err != nil {
		return err
	}
	stopTracing, err := u.env.startTracing(ctx, "orderflow")
	if err != nil {
		return err
	}
	defer stopTracing()
	stack, err := embedded.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop()) }()
	u.useAddresses(stack)
	u.health, u.metrics = &telemetry.Health{}, telemetry.NewRegistry()
	u.health.Add("disk", stack.DiskError)
	for _, c := range stack.Collectors() {
		if err := u.metrics.Register(c); err != nil {
			return fmt.Errorf("registering the servers' metrics: %w", err)
		}
	}
	services, err := u.newServices()
	if err != nil {
		return err
	}
	defer services.api.Close()
	u.env.config.Listen.API, u.env.config.Listen.Fraud = services.api.Addr(), services.api.FraudAddr()
	if err := u.prepare(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return services.api.Run(ctx) })
	group.Go(func() error { return services.inventory.Run(ctx) })
	group.Go(func() error { return services.email.Run(ctx) })
	group.Go(func() error { return u.tendConnectors(ctx) })
	group.Go(func() error {
		if err := u.awaitReady(ctx); err != nil {
			return err
		}
		if err := u.announce(began); err != nil {
			return err
		}
		return u.populate(ctx)
	})
	return group.Wait()
}

func (u *up) stackConfig() (embedded.Config, error) {
	cfg := u.env.config
	credentials, err := cfg.Security.KsqlDB.Credentials()
	if err != nil {
		return embedded.Config{}, fmt.Errorf("--ksqldb-credentials: %w", err)
	}
	if credentials != nil && cfg.KsqlDBUsername == "" {
		return embedded.Config{}, errors.New("--ksqldb-credentials keeps the services of this process out of its ksqlDB: name a user for them with --ksqldb-username and --ksqldb-password")
	}
	kafkaCredentials, err := cfg.Security.Kafka.Credentials()
	if err != nil {
		return embedded.Config{}, fmt.Errorf("--kafka-credentials: %w", err)
	}
	server := func(real, listen, setting string) embedded.Server {
		return embedded.Server{Real: real, Listen: listen, Setting: "--" + setting}
	}
	return embedded.Config{
		DataDir: cfg.DataDir, Sync: u.sync, Brokers: cfg.Kafka, Logger: u.env.log,
		KafkaOptions: u.env.access.kafka, SchemaRegistryTransport: u.env.access.schemaRegistry, ConnectTransport: u.env.access.connect,
		KsqlDBTLS: cfg.Security.KsqlDB.TLS, KsqlDBCredentials: credentials,
		KafkaTLS: cfg.Security.Kafka.TLS, KafkaCredentials: kafkaCredentials, KafkaAdvertise: cfg.KafkaAdvertise,
		Kafka:               server("", cfg.Listen.Kafka, "kafka-listen"),
		SchemaRegistry:      server(cfg.SchemaRegistry, cfg.Listen.SchemaRegistry, "schema-registry-listen"),
		Elasticsearch:       server(cfg.Elasticsearch, cfg.Listen.Elasticsearch, "elasticsearch-listen"),
		Connect:             server(cfg.Connect, cfg.Listen.Connect, "connect-listen"),
		ConnectEnvAllowlist: cfg.ConnectEnvAllowlist, ConnectFilePaths: cfg.ConnectFilePaths,
		KsqlDB: server(cfg.KsqlDB, cfg.Listen.KsqlDB, "ksqldb-listen"),
	}, nil
}

// useAddresses has all clients of this process use the servers as they were
// started: a port of 0 has become a real one.
func (u *up) useAddresses(stack *embedded.Stack) {
	cfg := u.env.config
	cfg.Kafka, u.env.access.kafka = stack.Brokers(), stack.KafkaOptions()
	cfg.SchemaRegistry, cfg.Elasticsearch = stack.SchemaRegistry(), stack.Elasticsearch()
	cfg.Connect, cfg.KsqlDB = stack.Connect(), stack.KsqlDB()
}

type services struct {
	api       *api.Service
	inventory *inventory.Service
	email     *email.Service
}

func (u *up) newServices() (*services, error) {
	env := u.env
	log := func(service string) *slog.Logger { return env.log.With("service", service) }
	var s services
	rest, err := apiConfig(env)
	if err != nil {
		return nil, err
	}
	rest.Health, rest.Metrics = u.health, u.metrics
	rest.ShutdownTimeout /= 2 // the servers of this process stop after it
	if s.api, err = api.New(rest); err != nil {
		return nil, err
	}
	s.inventory, err = inventory.New(inventory.Config{
		Kafka: serviceKafka(env, "inventory"), Health: u.health, Metrics: u.metrics, SnapshotDir: snapshotDir(env),
		Tracing: env.tracing, Logger: log("inventory"),
	})
	var mail email.Config
	if err == nil {
		mail, err = emailConfig(env)
	}
	if err == nil {
		mail.Health, mail.Metrics = u.health, u.metrics
		s.email, err = email.New(mail)
	}
	if err != nil {
		s.api.Close()
		return nil, err
	}
	return &s, nil
}

// prepare brings topics, schemas, ksqlDB statements, the customers database and
// connectors up to date.
func (u *up) prepare(ctx context.Context) error {
	definition, err := loadTopics("")
	if err != nil {
		return err
	}
	err = withCluster(u.env, func(cluster topics.Cluster) error {
		_, err := topics.Apply(ctx, definition, cluster)
		return err
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return withMigrator(u.env, u.migrations, migrate.Config{}, func(m *migrate.Migrator) error {
			_, err := m.Apply(ctx, migrate.ApplyOptions{All: true})
			return err
		})
	})
	group.Go(func() error {
		if err := customers.Prepare(ctx, u.env.config.CustomersDBPath(), u.demo); err != nil {
			return err
		}
		return applyConnectors(ctx, u.env, io.Discard)
	})
	return group.Wait()
}

// tendConnectors keeps the connectors running that prepare has made.
func (u *up) tendConnectors(ctx context.Context) error {
	def, err := loadConnectors(u.env, "")
	if err != nil {
		return err
	}
	connectors.NewClient(u.env.config.ConnectURL(), u.env.access.connect).Tend(ctx, def.Names(), u.env.log)
	return nil
}

// readyInterval is how often readiness is looked at while the services start.
const readyInterval = 2 * time.Millisecond

func (u *up) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for !u.health.Ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func (u *up) announce(began time.Time) error {
	cfg := u.env.config
	w := tabwriter.NewWriter(u.env.stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"orders API", cfg.APIURL() + "/v1/orders"},
		{"fraud", cfg.APIURL() + "/fraud, " + listen.Scheme(cfg.Security.API.TLS) + "://" + cfg.Listen.Fraud + "/fraud"},
		{"health, metrics", cfg.APIURL() + "/readyz, " + cfg.APIURL() + "/metrics"},
		{"Kafka", cfg.KafkaBrokers()[0]},
		{"Schema Registry", cfg.SchemaRegistryURL()},
		{"Connect", cfg.ConnectURL()},
		{"ksqlDB", cfg.KsqlDBURL()},
		{"Elasticsearch", cfg.ElasticsearchURL()},
		{"customers", cfg.CustomersDBPath()},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(u.env.stdout, "orderflow is ready after %d ms\n", time.Since(began).Milliseconds())
	return err
}

// populate posts the demo's orders once the customers can be seen.
func (u *up) populate(ctx context.Context) error {
	if !u.demo {
		return nil
	}
	client, err := ksql.New(ksqlConfig(u.env))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := awaitCustomers(ctx, client); err != nil {
		return err
	}
	cfg := populate.Default(u.env.config.APIURL())
	cfg.HTTP = apiHTTPClient(u.env)
	cfg.Orders, cfg.Rate, cfg.Logger = u.demoOrders, u.demoRate, u.env.log.With("service", "populate")
	cfg.Prefix = "demo-" + time.Now().UTC().Format("20060102T150405")
	summary, err := populate.Run(ctx, cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(u.env.stdout, summary)
	return err
}

// customersInterval is how often the demo asks whether customers have arrived.
const customersInterval = 20 * time.Millisecond

// awaitCustomers waits until ksqlDB knows customers, so that the first orders
// are enriched.
func awaitCustomers(ctx context.Context, client *ksql.Client) error {
	tick := time.NewTicker(customersInterval)
	defer tick.Stop()
	for {
		rows, err := client.Query(ctx, "SELECT customerid FROM customers_table LIMIT 1;", nil)
		if err != nil {
			return fmt.Errorf("asking for customers: %w", err)
		}
		found := rows.Next()
		err = errors.Join(rows.Err(), rows.Close())
		if err != nil {
			return fmt.Errorf("asking for customers: %w", err)
		}
		if found {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

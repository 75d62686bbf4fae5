package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/bench"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/populate"
)

// newBenchCommand measures a running system.
func newBenchCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure pull queries, push queries, the start of queries, and orders",
		Long: `Measures a running system from outside, whether its servers are embedded or real
ones. What a measurement makes it drops again; its streams, tables and topics
begin with bench_. Orders stay: they get ids that begin with "bench".`,
	}
	for _, newCommand := range []func(*environment) *cobra.Command{newBenchPull, newBenchPush, newBenchQueries, newBenchOrders} {
		cmd.AddCommand(newCommand(env))
	}
	return cmd
}

// benchTarget gives what is measured and a function that ends its use.
func benchTarget(env *environment) (*bench.Target, func(), error) {
	cfg := ksqlConfig(env)
	client, err := ksql.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	return &bench.Target{KsqlDB: client, Username: cfg.Username, Password: cfg.Password, Kafka: kafkaConfig(env)}, client.Close, nil
}

func newBenchPull(env *environment) *cobra.Command {
	cfg := bench.PullConfig{}
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Measure pull queries by key over /query-stream",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, done, err := benchTarget(env)
			if err != nil {
				return err
			}
			defer done()
			cfg.Report = func(connections int, l bench.Latencies) {
				_, _ = fmt.Fprintf(env.stdout, "pull queries, %d connections: %s\n", connections, l)
			}
			return target.Pull(cmd.Context(), cfg)
		},
	}
	cmd.Flags().IntVar(&cfg.Keys, "keys", 10_000, "how many keys the table has")
	cmd.Flags().IntSliceVar(&cfg.Connections, "connections", []int{1, 16, 64}, "how many clients ask at once, one measurement each")
	cmd.Flags().DurationVar(&cfg.Duration, "duration", 5*time.Second, "how long each measurement takes")
	return cmd
}

func newBenchPush(env *environment) *cobra.Command {
	cfg := bench.PushConfig{}
	cmd := &cobra.Command{
		Use:   "push",
		Short: "Measure push queries, from producing a record to its row",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, done, err := benchTarget(env)
			if err != nil {
				return err
			}
			defer done()
			l, err := target.Push(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "push query, record to row: %s\n", l)
			return err
		},
	}
	cmd.Flags().IntVar(&cfg.Rows, "rows", 1000, "how many rows are sent")
	cmd.Flags().DurationVar(&cfg.Pause, "pause", 2*time.Millisecond, "how long one row comes after another")
	return cmd
}

func newBenchQueries(env *environment) *cobra.Command {
	cfg := bench.QueriesConfig{}
	var metrics string
	cmd := &cobra.Command{
		Use:   "queries",
		Short: "Measure the start of persistent queries that have nothing to do",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, done, err := benchTarget(env)
			if err != nil {
				return err
			}
			defer done()
			if metrics != "" {
				cfg.Memory = func(ctx context.Context) (int64, error) { return residentBytes(ctx, apiHTTPClient(env), metrics) }
			}
			q, err := target.StartQueries(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "persistent queries, statement to answer: %s\n", q.Started)
			if err == nil && cfg.Memory != nil {
				_, err = fmt.Fprintf(env.stdout, "memory of each: %d KB\n", q.BytesEach>>10)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&cfg.Queries, "queries", 200, "how many queries are started")
	cmd.Flags().StringVar(&metrics, "metrics", "", "URL of the Prometheus metrics of ksqlDB's process, such as http://127.0.0.1:8000/metrics of `up`, to tell what memory a query takes")
	return cmd
}

// residentBytes reads how much memory a process has from its metrics.
func residentBytes(ctx context.Context, client *http.Client, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("asking for metrics: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking for metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return 0, fmt.Errorf("asking for metrics at %s: status %d: %s", url, resp.StatusCode, text)
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "process_resident_memory_bytes "); ok {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the metrics at %s: %w", url, err)
			}
			return int64(n), nil
		}
	}
	return 0, fmt.Errorf("the metrics at %s lack process_resident_memory_bytes", url)
}

func newBenchOrders(env *environment) *cobra.Command {
	cfg := populate.Default("")
	cfg.Prefix, cfg.Orders, cfg.Rate, cfg.Stock = "bench", 2000, 100, 1_000_000
	cfg.Customers, cfg.BadShare, cfg.BurstShare, cfg.PaidShare, cfg.ShipShare = 10_000, 0, 0, 0, 0
	cmd := &cobra.Command{
		Use:   "orders",
		Short: "Measure orders, from POST to their final state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.API == "" {
				cfg.API = env.config.APIURL()
			}
			cfg.HTTP, cfg.Logger, cfg.Progress = apiHTTPClient(env), env.log.With("service", "bench"), func(populate.Summary) {}
			summary, err := populate.Run(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, summary)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.API, "api", "", "URL of the orders API (default: where --api-listen says)")
	f.StringVar(&cfg.Prefix, "prefix", cfg.Prefix, "start of the orders' ids")
	f.IntVar(&cfg.Orders, "orders", cfg.Orders, "how many orders to post")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "orders per second; 0 is as fast as possible")
	f.IntVar(&cfg.Workers, "workers", cfg.Workers, "how many orders to work on at once")
	return cmd
}

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/populate"
)

// newPopulateCommand posts stock, orders and payments to a running API.
func newPopulateCommand(env *environment) *cobra.Command {
	cfg := populate.Default("")
	var recording string
	cmd := &cobra.Command{
		Use:   "populate",
		Short: "Post stock, orders and payments to a running orders API",
		Long: `Post stock, orders and payments to a running orders API: mostly good ones, some
that a check fails or the API refuses, and customers who order suspiciously
often. The same seed posts the same.

--replay FILE posts a recording instead: JSON Lines, each an order or a payment as
the API takes them, such as the data of GET /v1/orders/stream.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.API == "" {
				cfg.API = env.config.APIURL()
			}
			cfg.HTTP = apiHTTPClient(env)
			cfg.Logger = env.log.With("service", "populate")
			cfg.Progress = func(s populate.Summary) {
				// Progress that cannot be shown is no reason to stop.
				_, _ = fmt.Fprintln(env.stderr, s.ProgressLine())
			}
			if recording != "" {
				file, err := os.Open(recording)
				if err != nil {
					return fmt.Errorf("opening the recording: %w", err)
				}
				defer file.Close()
				cfg.Replay = file
			}
			summary, err := populate.Run(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, summary)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.API, "api", cfg.API, "URL of the orders API (default: where --api-listen says)")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "what decides what is posted; 0 is a random one")
	f.StringVar(&cfg.Prefix, "prefix", cfg.Prefix, "start of the orders' ids")
	f.IntVar(&cfg.Orders, "orders", cfg.Orders, "how many orders to post; 0 goes on until stopped")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "orders per second; 0 is as fast as possible")
	f.IntVar(&cfg.Workers, "workers", cfg.Workers, "how many orders to work on at once")
	f.Int64Var(&cfg.Customers, "customers", cfg.Customers, "how many customers order")
	f.Int64Var(&cfg.FirstCustomer, "first-customer", cfg.FirstCustomer, "id of the first customer")
	f.Float64Var(&cfg.BadShare, "bad", cfg.BadShare, "share of orders, 0 to 1, that are refused or fail")
	f.Float64Var(&cfg.BurstShare, "bursts", cfg.BurstShare, "chance, 0 to 1, that a customer orders five times in a row")
	f.Float64Var(&cfg.PaidShare, "paid", cfg.PaidShare, "share of good orders, 0 to 1, that are paid")
	f.Float64Var(&cfg.LateShare, "late", cfg.LateShare, "share of payments, 0 to 1, that come later than an e-mail needs them")
	f.DurationVar(&cfg.LateBy, "late-by", 70*time.Second, "how long after its order a late payment comes")
	f.StringVar(&recording, "replay", "", "file of recorded orders and payments to post instead")
	f.DurationVar(&cfg.ProgressEvery, "progress", 5*time.Second, "how often to print progress")
	f.Float64Var(&cfg.ShipShare, "shipped", cfg.ShipShare, "share of validated orders, 0 to 1, that are shipped")
	f.Int32Var(&cfg.Stock, "stock", cfg.Stock, "units of each product to put into the warehouse first; -1 leaves the stock alone")
	f.DurationVar(&cfg.DecisionTimeout, "wait", cfg.DecisionTimeout, "how long to wait for each decision; 0 does not wait")
	return cmd
}

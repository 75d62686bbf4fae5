package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/populate"
)

// newPopulateCommand posts stock, orders and payments to a running API.
func newPopulateCommand(env *environment) *cobra.Command {
	cfg := populate.Default("")
	cmd := &cobra.Command{
		Use:   "populate",
		Short: "Post stock, orders and payments to a running orders API",
		Long: `Post stock, orders and payments to a running orders API: mostly good ones, some
that a check fails or the API refuses, and customers who order suspiciously
often. The same seed posts the same.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.API == "" {
				cfg.API = env.config.APIURL()
			}
			cfg.Logger = env.log.With("service", "populate")
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
	f.Float64Var(&cfg.ShipShare, "shipped", cfg.ShipShare, "share of validated orders, 0 to 1, that are shipped")
	f.Int32Var(&cfg.Stock, "stock", cfg.Stock, "units of each product to put into the warehouse first; -1 leaves the stock alone")
	f.DurationVar(&cfg.DecisionTimeout, "wait", cfg.DecisionTimeout, "how long to wait for each decision; 0 does not wait")
	return cmd
}

package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/populate"
)

// newInventorySetCommand says how many units of a product lie in the warehouse.
func newInventorySetCommand(env *environment) *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "set PRODUCT UNITS",
		Short: "Say how many units of a product lie in the warehouse",
		Long: `Say how many units of a product physically lie in the warehouse, those that are
reserved for orders included.`,
		Example: "  orderflow inventory set JUMPERS 100",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			units, err := strconv.ParseInt(args[1], 10, 32)
			if err != nil || units < 0 {
				return fmt.Errorf("setting the stock: %q is not a number of units from 0 to 2147483647", args[1])
			}
			if url == "" {
				url = env.config.APIURL()
			}
			stock, err := populate.NewClient(url, apiHTTPClient(env)).SetStock(cmd.Context(), order.Product(args[0]), int32(units))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.stdout, "%s: %d in the warehouse, %d reserved, %d available\n", stock.Product, stock.Warehouse, stock.Reserved, stock.Available)
			return err
		},
	}
	cmd.Flags().StringVar(&url, "api", "", "URL of the orders API (default: where --api-listen says)")
	return cmd
}

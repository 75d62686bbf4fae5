package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/sql"
)

// Store looks up what ksqlDB knows. An id that is unknown is not in the answer. An
// error comes with those that could be read all the same.
type Store interface {
	Orders(ctx context.Context, ids ...string) (map[string]order.Order, error)
	Payments(ctx context.Context, ids ...string) (map[string]order.Payment, error)
	// Submitted returns when an order was submitted last, and how often; 0 times when
	// that is not known.
	Submitted(ctx context.Context, id string) (at time.Time, times int64, err error)
	// Checks returns the first result of each check of an order that has one.
	Checks(ctx context.Context, id string) (map[order.CheckType]order.Result, error)
	// Customer returns a customer, and false when there is none with the id.
	Customer(ctx context.Context, id int64) (customer, bool, error)
}

// Rows is the answer to a query, row by row; see ksql.Rows.
type Rows interface {
	Columns() []ksql.Column
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Queries runs pull and push queries.
type Queries interface {
	Query(ctx context.Context, sql string, props map[string]string) (Rows, error)
}

// ksqlQueries makes Queries of the ksqlDB client.
type ksqlQueries struct{ client *ksql.Client }

func (q ksqlQueries) Query(ctx context.Context, sql string, props map[string]string) (Rows, error) {
	rows, err := q.client.Query(ctx, sql, props)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// rowErrors says, by id, why rows could not be read. It is about no other ids.
type rowErrors map[string]error

func (e rowErrors) Error() string {
	return fmt.Sprintf("rows that cannot be read: %v", map[string]error(e))
}

// ksqlStore is a Store that asks ksqlDB.
type ksqlStore struct{ queries Queries }

func (s ksqlStore) Orders(ctx context.Context, ids ...string) (map[string]order.Order, error) {
	found := make(map[string]order.Order, len(ids))
	unreadable := rowErrors{}
	err := s.pull(ctx, sql.OrdersByID, ids, func(rows Rows) error {
		o, err := scanOrder(rows)
		if err != nil && o.ID == "" {
			return err // it may be about any of them
		}
		if err != nil {
			unreadable[o.ID] = err
			return nil
		}
		found[o.ID] = o
		return nil
	})
	if err == nil && len(unreadable) > 0 {
		err = unreadable
	}
	if err != nil {
		return found, fmt.Errorf("looking up orders: %w", err)
	}
	return found, nil
}

func (s ksqlStore) Payments(ctx context.Context, ids ...string) (map[string]order.Payment, error) {
	found := make(map[string]order.Payment, len(ids))
	unreadable := rowErrors{}
	err := s.pull(ctx, sql.PaymentsByID, ids, func(rows Rows) error {
		var p order.Payment
		err := rows.Scan(&p.ID, &p.OrderID, &p.Currency, &p.Amount)
		if err != nil && p.ID == "" {
			return err // it may be about any of them
		}
		if err != nil {
			unreadable[p.ID] = err
			return nil
		}
		found[p.ID] = p
		return nil
	})
	if err == nil && len(unreadable) > 0 {
		err = unreadable
	}
	if err != nil {
		return found, fmt.Errorf("looking up payments: %w", err)
	}
	return found, nil
}

func (s ksqlStore) Submitted(ctx context.Context, id string) (at time.Time, times int64, err error) {
	err = s.pull(ctx, sql.OrderCreated, []string{id}, func(rows Rows) error {
		var millis int64
		err := rows.Scan(nil, &times, &millis)
		at = time.UnixMilli(millis)
		return err
	})
	return at, times, err
}

func (s ksqlStore) Customer(ctx context.Context, id int64) (c customer, found bool, err error) {
	text, err := sql.QueryNumber(sql.CustomerByID, id)
	if err != nil {
		return c, false, err
	}
	err = s.run(ctx, text, func(rows Rows) error {
		found = true
		return rows.Scan(&c.ID, &c.FirstName, &c.LastName, &c.Email, &c.Address, &c.Level)
	})
	if err != nil {
		return c, false, fmt.Errorf("looking up customer %d: %w", id, err)
	}
	return c, found, nil
}

func (s ksqlStore) Checks(ctx context.Context, id string) (map[order.CheckType]order.Result, error) {
	found := map[order.CheckType]order.Result{}
	err := s.pull(ctx, sql.ChecksByID, []string{id}, func(rows Rows) error {
		var inventory, fraud, details *order.Result
		err := rows.Scan(nil, &inventory, &fraud, &details)
		for check, result := range map[order.CheckType]*order.Result{
			order.InventoryCheck: inventory, order.FraudCheck: fraud, order.OrderDetailsCheck: details,
		} {
			if result != nil {
				found[check] = *result
			}
		}
		return err
	})
	if err != nil {
		return found, fmt.Errorf("looking up the checks of order %s: %w", id, err)
	}
	return found, nil
}

func (s ksqlStore) pull(ctx context.Context, name string, ids []string, row func(Rows) error) error {
	if len(ids) == 0 {
		return nil
	}
	text, err := sql.Query(name, ids...)
	if err != nil {
		return err
	}
	return s.run(ctx, text, row)
}

// run hands over the rows of a query. Those that cannot be read do not keep the others back.
func (s ksqlStore) run(ctx context.Context, text string, row func(Rows) error) (err error) {
	rows, err := s.queries.Query(ctx, text, nil)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = cerr
		}
	}()
	var bad []error
	for rows.Next() {
		if err := row(rows); err != nil {
			bad = append(bad, err)
		}
	}
	return errors.Join(append(bad, rows.Err())...)
}

// scanOrder reads a row of ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE.
func scanOrder(rows Rows) (order.Order, error) {
	var o order.Order
	err := rows.Scan(&o.ID, &o.CustomerID, &o.State, &o.Product, &o.Quantity, &o.Price)
	return o, err
}

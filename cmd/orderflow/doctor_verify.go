package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/verify"
)

const (
	// verifyPatience is how long what is under way may take to be worked off.
	verifyPatience = 30 * time.Second
	// verifyLooks is how often something must be seen to be believed at least: topics
	// and servers are read one after another, while records come.
	verifyLooks = 3
	// verifyPause lies between two looks.
	verifyPause = time.Second
)

// verification is what `doctor --verify` says.
type verification struct {
	Orders  int `json:"orders"`
	Decided int `json:"decided"`
	Emails  int `json:"emails"`
	// Foreign counts the records that make no sense in their topic; they are passed over.
	Foreign int `json:"foreign"`
	// Findings are the things that are not as promised.
	Findings []verified `json:"findings"`
	// Unchecked are the rules that could not be checked, as Incomplete topics have lost
	// records to retention or compaction.
	Unchecked  []verify.Rule `json:"unchecked"`
	Incomplete []string      `json:"incomplete"`
	Looks      int           `json:"looks"`
	Seconds    float64       `json:"seconds"`
}

// verified is one finding.
type verified struct {
	Rule    verify.Rule `json:"rule"`
	Subject string      `json:"subject"`
	Detail  string      `json:"detail"`
	// Lost says that it can't come right any more; else it has not come in time.
	Lost bool `json:"lost"`
}

// verifyAll checks all that can be checked from outside: every order, its checks, its
// stock, its e-mails, its document.
func verifyAll(ctx context.Context, env *environment, patience time.Duration, output outputForm) error {
	reader, err := verify.NewReader(verify.Config{
		Brokers: env.config.KafkaBrokers(), SchemaRegistry: env.config.SchemaRegistryURL(),
		ClientOptions: env.access.kafka, RegistryTransport: env.access.schemaRegistry, KnownTopics: true,
	})
	if err != nil {
		return err
	}
	ksqldb, err := ksql.New(ksqlConfig(env))
	if err != nil {
		return err
	}
	defer ksqldb.Close()
	began := time.Now()
	var result verification
	var lasting []verified
	pause := time.NewTicker(verifyPause)
	defer pause.Stop()
	for {
		report, err := look(ctx, env, ksqldb, reader)
		if err != nil {
			return fmt.Errorf("verifying what is stored: %w", err)
		}
		result.Looks++
		lasting = stillThere(lasting, report, result.Looks == 1)
		result.Orders, result.Decided, result.Emails = report.Orders, report.Decided, len(reader.History().Emailed)
		result.Foreign = report.Foreign
		result.Unchecked, result.Incomplete = report.Unchecked, reader.History().Incomplete()
		if len(lasting) == 0 || result.Looks >= verifyLooks && time.Since(began) >= patience {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
	result.Findings, result.Seconds = lasting, time.Since(began).Seconds()
	if err := printVerification(env, result, output); err != nil {
		return err
	}
	if len(lasting) > 0 {
		return fmt.Errorf("%d things are not as promised", len(lasting))
	}
	return nil
}

// look reads what is shown, and then the topics that it comes from.
func look(ctx context.Context, env *environment, ksqldb *ksql.Client, reader *verify.Reader) (*verify.Report, error) {
	claims := verify.Claims{MailUnknown: true, Strangers: true, Fraud: []verify.FraudRow{}, Table: map[string]string{}}
	err := eachRow(ctx, ksqldb, "SELECT customerid, lastname, firstname, windowstart, counts FROM fraud_order;", func(rows *ksql.Rows) error {
		var f verify.FraudRow
		if err := rows.Scan(&f.CustomerID, &f.LastName, &f.FirstName, &f.WindowStart, &f.Count); err != nil {
			return err
		}
		claims.Fraud = append(claims.Fraud, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the fraud table: %w", err)
	}
	err = eachRow(ctx, ksqldb, "SELECT id, state FROM order_states;", func(rows *ksql.Rows) error {
		var id, state string
		if err := rows.Scan(&id, &state); err != nil {
			return err
		}
		claims.Table[id] = state
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the table of states: %w", err)
	}
	claims.Index, err = verify.LookIndex(ctx, &http.Client{Transport: env.access.elasticsearch}, env.config.ElasticsearchURL())
	if err != nil {
		return nil, fmt.Errorf("reading the search index: %w", err)
	}
	claims.Stock, err = verify.LookStock(ctx, apiHTTPClient(env), env.config.APIURL())
	if err != nil {
		return nil, fmt.Errorf("reading the stock: %w", err)
	}
	if err := reader.Read(ctx); err != nil {
		return nil, err
	}
	return verify.Check(reader.History(), claims), nil
}

func eachRow(ctx context.Context, client *ksql.Client, query string, take func(*ksql.Rows) error) error {
	rows, err := client.Query(ctx, query, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stillThere returns the findings of a report that were there in all looks before.
func stillThere(before []verified, report *verify.Report, first bool) []verified {
	type about struct {
		rule    verify.Rule
		subject string
	}
	seen := map[about]bool{}
	for _, f := range before {
		seen[about{f.Rule, f.Subject}] = true
	}
	var all []verified
	for i, f := range slices.Concat(report.Broken, report.Open) {
		if first || seen[about{f.Rule, f.Subject}] {
			all = append(all, verified{f.Rule, f.Subject, f.Detail, i < len(report.Broken)})
		}
	}
	return all
}

func printVerification(env *environment, v verification, output outputForm) error {
	if output == outputJSON {
		if v.Findings == nil {
			v.Findings = []verified{}
		}
		if v.Unchecked == nil {
			v.Unchecked, v.Incomplete = []verify.Rule{}, []string{}
		}
		encoder := json.NewEncoder(env.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	if _, err := fmt.Fprintf(env.stdout, "%d orders, %d of them decided, and %d e-mails checked in %.1f s\n", v.Orders, v.Decided, v.Emails, v.Seconds); err != nil {
		return err
	}
	if v.Foreign > 0 {
		if _, err := fmt.Fprintf(env.stdout, "passed over: %d records that make no sense in their topic (the services' logs and metrics say which)\n", v.Foreign); err != nil {
			return err
		}
	}
	for _, rule := range v.Unchecked {
		if _, err := fmt.Fprintf(env.stdout, "not checked: %s (records are gone from %v)\n", rule, v.Incomplete); err != nil {
			return err
		}
	}
	for i, f := range v.Findings {
		if i == shownDifferences {
			_, err := fmt.Fprintf(env.stdout, "... and %d more\n", len(v.Findings)-i)
			return err
		}
		state := "not come"
		if f.Lost {
			state = "WRONG"
		}
		if _, err := fmt.Fprintf(env.stdout, "%s  %s: %s: %s\n", state, f.Rule, f.Subject, f.Detail); err != nil {
			return err
		}
	}
	if len(v.Findings) == 0 {
		_, err := fmt.Fprintln(env.stdout, "everything is as promised")
		return err
	}
	return nil
}

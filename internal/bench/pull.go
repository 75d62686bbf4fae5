package bench

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// PullConfig says how pull queries are measured.
type PullConfig struct {
	// Keys is how many keys the table has.
	Keys int
	// Connections are how many clients ask at once, one measurement each.
	Connections []int
	// Duration is how long each measurement takes, after a tenth of it to warm up.
	Duration time.Duration
	// Report takes each result.
	Report func(connections int, l Latencies)
}

// Pull measures look-ups of rows by key, over /query-stream: each connection sends
// its next request when it has the answer to the one before.
func (t *Target) Pull(ctx context.Context, cfg PullConfig) (err error) {
	u, err := url.Parse(t.KsqlDB.URL())
	if err != nil {
		return fmt.Errorf("reading the address of ksqlDB: %w", err)
	}
	if u.Scheme != "http" {
		return fmt.Errorf("pull queries are measured without TLS: ksqlDB's address has to begin with http://, not %s://", u.Scheme)
	}
	client, clean, err := t.prepare(ctx, "CREATE TABLE bench_totals WITH (KAFKA_TOPIC='BENCH_TOTALS') AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM bench_events GROUP BY k;")
	if err != nil {
		return err
	}
	defer func() {
		if failed := clean(); err == nil {
			err = failed
		}
	}()
	if err := t.fill(ctx, client, cfg.Keys); err != nil {
		return err
	}
	head := "POST " + u.Path + "/query-stream HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Type: application/json\r\nAccept: application/vnd.ksqlapi.delimited.v1\r\n"
	if t.Username != "" {
		head += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(t.Username+":"+t.Password)) + "\r\n"
	}
	for _, n := range cfg.Connections {
		if _, err := t.pull(ctx, u.Host, head, n, cfg.Keys, cfg.Duration/10); err != nil {
			return err
		}
		l, err := t.pull(ctx, u.Host, head, n, cfg.Keys, cfg.Duration)
		if err != nil {
			return err
		}
		cfg.Report(n, l)
	}
	return nil
}

// fill gives each key a row and waits until all are there.
func (t *Target) fill(ctx context.Context, client *kgo.Client, keys int) error {
	const batch = 50_000
	for from := 0; from < keys; from += batch {
		records := make([]*kgo.Record, min(batch, keys-from))
		for i := range records {
			records[i] = event(key(from+i), int64(from+i))
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("filling the table: %w", err)
		}
	}
	for i := range keys {
		if i > 0 && i < keys-100 && i%10_000 != 0 {
			continue
		}
		if err := t.waitForRow(ctx, key(i)); err != nil {
			return err
		}
	}
	return nil
}

func (t *Target) waitForRow(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		n, err := t.count(ctx, "SELECT n FROM bench_totals WHERE k = '"+key+"';")
		switch {
		case err != nil:
			return fmt.Errorf("waiting for the row of %s: %w", key, err)
		case n > 0:
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for the row of %s: %w", key, ctx.Err())
		}
	}
}

func (t *Target) count(ctx context.Context, sql string) (int, error) {
	rows, err := t.KsqlDB.Query(ctx, sql, nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	return n, rows.Err()
}

// pull lets connections ask for so long.
func (t *Target) pull(ctx context.Context, host, head string, connections, keys int, during time.Duration) (Latencies, error) {
	group, ctx := errgroup.WithContext(ctx)
	took := make([][]time.Duration, connections)
	began := time.Now()
	for c := range connections {
		group.Go(func() error {
			w, err := dial(ctx, host)
			if err != nil {
				return err
			}
			defer w.close()
			for i := c * 7919; time.Since(began) < during; i += 104_729 {
				k := key(i % keys)
				body := `{"sql":"SELECT * FROM bench_totals WHERE k = '` + k + `';"}`
				asked := time.Now()
				status, answer, err := w.post(head, body)
				if err != nil {
					return fmt.Errorf("asking for the row of %s: %w", k, err)
				}
				took[c] = append(took[c], time.Since(asked))
				if want := `["` + k + `",`; status != 200 || !contains(answer, want) {
					return fmt.Errorf("asking for the row of %s: ksqlDB answered with status %d: %.500s", k, status, answer)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Latencies{}, err
	}
	over := time.Since(began)
	var all []time.Duration
	for _, part := range took {
		all = append(all, part...)
	}
	return summarize(all, over), nil
}

package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// indexPage is how many documents are fetched at once.
const indexPage = 5000

// LookIndex reads every document of the index of orders. baseURL is that of
// Elasticsearch.
func LookIndex(ctx context.Context, client *http.Client, baseURL string) (map[string]Document, error) {
	if _, err := ask(ctx, client, baseURL+"/orders.v1/_refresh", map[string]any{}); err != nil {
		return nil, err
	}
	found := map[string]Document{}
	var after []any
	for {
		query := map[string]any{"size": indexPage, "version": true, "sort": []any{map[string]string{"id": "asc"}}}
		if after != nil {
			query["search_after"] = after
		}
		body, err := ask(ctx, client, baseURL+"/orders.v1/_search", query)
		if err != nil {
			return nil, err
		}
		var page struct {
			Hits struct {
				Hits []struct {
					ID      string                 `json:"_id"`
					Version int64                  `json:"_version"`
					Source  struct{ State string } `json:"_source"`
					Sort    []any                  `json:"sort"`
				} `json:"hits"`
			} `json:"hits"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("reading an answer of the search index: %w", err)
		}
		for _, hit := range page.Hits.Hits {
			found[hit.ID] = Document{hit.Source.State, hit.Version}
			after = hit.Sort
		}
		if len(page.Hits.Hits) < indexPage {
			return found, nil
		}
	}
}

// LookFraud reads the fraud table. baseURL is that of ksqlDB.
func LookFraud(ctx context.Context, client *http.Client, baseURL string) ([]FraudRow, error) {
	body, err := ask(ctx, client, baseURL+"/query-stream", map[string]any{
		"sql": "SELECT customerid, lastname, firstname, windowstart, counts FROM fraud_order;",
	})
	if err != nil {
		return nil, err
	}
	rows := []FraudRow{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, len(body)+1)
	for n := 0; lines.Scan(); n++ {
		if n == 0 || len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue // the header
		}
		var row FraudRow
		columns := []any{&row.CustomerID, &row.LastName, &row.FirstName, &row.WindowStart, &row.Count}
		if err := json.Unmarshal(lines.Bytes(), &columns); err != nil {
			return nil, fmt.Errorf("reading a row of the fraud table: %w", err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// LookTable reads the table of orders by their id. baseURL is that of ksqlDB.
func LookTable(ctx context.Context, client *http.Client, baseURL string) (map[string]string, error) {
	body, err := ask(ctx, client, baseURL+"/query-stream", map[string]any{"sql": "SELECT id, state FROM order_states;"})
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, len(body)+1)
	for n := 0; lines.Scan(); n++ {
		if n == 0 || len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue // the header
		}
		var id, state string
		if err := json.Unmarshal(lines.Bytes(), &[]any{&id, &state}); err != nil {
			return nil, fmt.Errorf("reading a row of the table of orders: %w", err)
		}
		states[id] = state
	}
	return states, nil
}

// LookStock reads the stock that the API shows. baseURL is that of the API.
func LookStock(ctx context.Context, client *http.Client, baseURL string) ([]Stock, error) {
	body, err := ask(ctx, client, baseURL+"/v1/inventory", nil)
	if err != nil {
		return nil, err
	}
	stock := []Stock{}
	if err := json.Unmarshal(body, &stock); err != nil {
		return nil, fmt.Errorf("reading the stock: %w", err)
	}
	return stock, nil
}

// ask sends a GET, or a POST of a JSON document, and returns the body of an answer
// of 200.
func ask(ctx context.Context, client *http.Client, address string, document any) ([]byte, error) {
	method, body := http.MethodGet, []byte(nil)
	if document != nil {
		var err error
		if body, err = json.Marshal(document); err != nil {
			return nil, err
		}
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if document != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: %s: %s", address, strconv.Itoa(resp.StatusCode), bytes.TrimSpace(answer))
	}
	return answer, nil
}

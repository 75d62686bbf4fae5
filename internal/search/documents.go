package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

const (
	// documentPage is how many documents are read at once.
	documentPage = 1000
	// pointKeepAlive is how long the server keeps a point in time between two pages.
	pointKeepAlive = "2m"
)

// Document is a document of an index as it stands there.
type Document struct {
	ID string
	// Version is the document's version: for what the sink connector writes, the offset
	// of its record.
	Version int64
	// Key is the value that Documents ordered it by, empty when it has none.
	Key    string
	Source json.RawMessage
}

// Documents hands every document of an index to visit, as they all stood at one
// moment, in the order of a keyword field; those without a value come last. At most
// a page of them is in memory. An index that doesn't exist is an error that
// IsNotFound knows.
func (c *Client) Documents(ctx context.Context, index, field string, visit func(Document) error) error {
	var point struct {
		ID string `json:"id"`
	}
	res, err := c.es.OpenPointInTime([]string{index}, pointKeepAlive, c.es.OpenPointInTime.WithContext(ctx))
	if err := c.read(res, err, &point); err != nil {
		return fmt.Errorf("opening a point in time of %s: %w", index, err)
	}
	defer func() { c.closePoint(point.ID) }()
	var after []json.RawMessage
	for {
		request := clause{
			"size": documentPage, "version": true, "track_total_hits": false, "query": clause{"match_all": clause{}},
			"pit": clause{"id": point.ID, "keep_alive": pointKeepAlive}, "sort": []clause{{field: clause{"order": "asc", "missing": "_last"}}},
		}
		if after != nil {
			request["search_after"] = after
		}
		var page struct {
			Point string `json:"pit_id"`
			Hits  struct {
				Hits []struct {
					ID      string            `json:"_id"`
					Version int64             `json:"_version"`
					Source  json.RawMessage   `json:"_source"`
					Sort    []json.RawMessage `json:"sort"`
				} `json:"hits"`
			} `json:"hits"`
		}
		body, err := json.Marshal(request)
		if err != nil {
			return fmt.Errorf("encoding a search: %w", err)
		}
		res, err := c.es.Search(c.es.Search.WithContext(ctx), c.es.Search.WithBody(bytes.NewReader(body)))
		if err := c.read(res, err, &page); err != nil {
			return fmt.Errorf("reading the documents of %s: %w", index, err)
		}
		for _, h := range page.Hits.Hits {
			d := Document{ID: h.ID, Version: h.Version, Source: h.Source}
			if len(h.Sort) > 0 {
				_ = json.Unmarshal(h.Sort[0], &d.Key) // null is no key
			}
			if err := visit(d); err != nil {
				return err
			}
			after = h.Sort
		}
		if len(page.Hits.Hits) < documentPage {
			return nil
		}
		if page.Point != "" {
			point.ID = page.Point
		}
	}
}

// closePoint gives a point in time back. It ends by itself when that fails.
func (c *Client) closePoint(id string) {
	body, err := json.Marshal(clause{"id": id})
	if err != nil {
		return
	}
	res, err := c.es.ClosePointInTime(c.es.ClosePointInTime.WithBody(bytes.NewReader(body)))
	if err == nil {
		_ = res.Body.Close()
	}
}

// Get reads documents by their ids, also what searches don't see yet. Those that
// don't exist are missing in the answer.
func (c *Client) Get(ctx context.Context, index string, ids []string) (map[string]Document, error) {
	found := map[string]Document{}
	if len(ids) == 0 {
		return found, nil
	}
	body, err := json.Marshal(clause{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("encoding ids: %w", err)
	}
	var answer struct {
		Docs []struct {
			ID      string          `json:"_id"`
			Found   bool            `json:"found"`
			Version int64           `json:"_version"`
			Source  json.RawMessage `json:"_source"`
		} `json:"docs"`
	}
	res, err := c.es.Mget(bytes.NewReader(body), c.es.Mget.WithContext(ctx), c.es.Mget.WithIndex(index))
	if err := c.read(res, err, &answer); err != nil {
		return nil, fmt.Errorf("reading documents of %s: %w", index, err)
	}
	for _, d := range answer.Docs {
		if d.Found {
			found[d.ID] = Document{ID: d.ID, Version: d.Version, Source: d.Source}
		}
	}
	return found, nil
}

// DeleteIndex deletes an index with all its documents; one that doesn't exist is no
// error.
func (c *Client) DeleteIndex(ctx context.Context, index string) error {
	res, err := c.es.Indices.Delete([]string{index}, c.es.Indices.Delete.WithContext(ctx))
	if err := c.read(res, err, nil); err != nil && !IsNotFound(err) {
		return fmt.Errorf("deleting the index %s: %w", index, err)
	}
	return nil
}

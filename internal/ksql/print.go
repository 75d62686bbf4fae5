package ksql

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	ksqldb "github.com/thmeitz/ksqldb-go"
)

// Print runs a PRINT statement and calls line with each line of its answer
// that is not blank. Without LIMIT it ends with ctx, whose error it then
// returns, or with the error of line.
func (c *Client) Print(ctx context.Context, sql string, props map[string]string, line func(text string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := struct {
		KSQL              string            `json:"ksql"`
		StreamsProperties map[string]string `json:"streamsProperties,omitempty"`
	}{sql, props}
	var response *http.Response
	err := c.retrying(ctx, func() (err error) {
		response, err = c.post(ctx, ksqldb.QUERY_ENDPOINT, mediaTypeV1, request)
		return err
	})
	if err != nil {
		return withStatement(err, sql)
	}
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	for {
		text, err := reader.ReadBytes('\n')
		if trimmed := strings.TrimSpace(string(text)); trimmed != "" {
			if bytes.HasPrefix(text, []byte("{")) {
				if failure := lineError(text); failure != nil {
					return failure
				}
			}
			if err := line(trimmed); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("reading the records: %w", err)
		}
	}
}

package ksql

import (
	"bytes"
	"context"
	"io"
	"net/http"

	ksqldb "github.com/thmeitz/ksqldb-go"
	ksqlnet "github.com/thmeitz/ksqldb-go/net"
)

// libraryTransport is the transport that ksqldb-go gets for one call. It
// answers with an error whatever is not a 200, so that the library's own
// error path (which prints, and loses the code) is never taken, and keeps that
// error, since the library wraps some of them as text.
type libraryTransport struct {
	client *Client
	err    error
}

var _ ksqlnet.HTTPClient = (*libraryTransport)(nil)

func (t *libraryTransport) GetUrl(endpoint string) string { return t.client.base + endpoint }

func (t *libraryTransport) Do(request *http.Request) (*http.Response, error) {
	if request.Body != nil && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", mediaTypeV1)
	}
	response, err := t.client.send(request)
	if err != nil {
		t.err = err
		return nil, err
	}
	body, err := t.client.readAll(request.Context(), response.Body)
	response.Body.Close()
	if err != nil {
		t.err = err
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func (t *libraryTransport) Get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.err = err
		return nil, err
	}
	return t.Do(request)
}

func (t *libraryTransport) Post(ctx context.Context, url, contentType string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.err = err
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	return t.Do(request)
}

// BasicAuth returns nothing: Client.send adds the credentials.
func (t *libraryTransport) BasicAuth() string { return "" }

// Close has nothing to release: the connections are the Client's.
func (t *libraryTransport) Close() {}

// library runs call, which changes nothing on the server, with a ksqldb-go
// client that talks through c, and returns the transport's own error where
// there is one.
func (c *Client) library(ctx context.Context, call func(*ksqldb.KsqldbClient) error) error {
	return c.retrying(ctx, func() error {
		transport := &libraryTransport{client: c}
		api, err := ksqldb.NewClient(transport)
		if err != nil {
			return err
		}
		api.EnableParseSQL(false)
		if err := call(&api); err != nil {
			if transport.err != nil {
				return transport.err
			}
			return err
		}
		return nil
	})
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// requestTimeout bounds one request to the registry.
const requestTimeout = 10 * time.Second

// Client is a Registry that is reached over REST. Schemas are cached by id.
type Client struct {
	urls   string
	client *sr.Client
	cache  cache
}

// NewClient makes a client of the registry at the given addresses, separated
// by commas, such as http://127.0.0.1:8081. The transport sends the requests; nil
// means http.DefaultTransport. It connects on first use.
func NewClient(urls string, transport http.RoundTripper) (*Client, error) {
	if urls == "" {
		return nil, errors.New("no Schema Registry address given: set one such as http://127.0.0.1:8081")
	}
	client, err := sr.NewClient(
		sr.URLs(strings.Split(urls, ",")...),
		sr.UserAgent("orderflow-ksqldb"),
		sr.HTTPClient(&http.Client{Timeout: requestTimeout, Transport: transport}),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up the Schema Registry client for %s: %w", urls, err)
	}
	return &Client{urls: urls, client: client}, nil
}

// wrap adds what was done to an error, and the sentinels of this package.
func (c *Client) wrap(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	var re *sr.ResponseError
	if !errors.As(err, &re) {
		return fmt.Errorf("%s from %s: %w: %w", what, c.urls, ErrUnavailable, err)
	}
	if re.StatusCode >= http.StatusInternalServerError || re.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("%s from %s: %w: %s; error code: %d", what, c.urls, ErrUnavailable, re.Message, re.ErrorCode)
	}
	switch re.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%s from %s: %w: %s; error code: %d", what, c.urls, ErrNotFound, re.Message, re.ErrorCode)
	case http.StatusConflict:
		return fmt.Errorf("%s: %w: %s; error code: %d", what, ErrIncompatible, re.Message, re.ErrorCode)
	default:
		return fmt.Errorf("%s from %s: %s; error code: %d", what, c.urls, re.Message, re.ErrorCode)
	}
}

// SchemaByID implements Registry.
func (c *Client) SchemaByID(ctx context.Context, id int) (Schema, error) {
	if s, ok := c.cache.get(id); ok {
		return s, nil
	}
	got, err := c.client.SchemaByID(ctx, id)
	if err != nil {
		return Schema{}, c.wrap(err, "fetching schema %d", id)
	}
	s := fromClient(got)
	s.ID = id
	c.cache.put(id, s)
	return s, nil
}

// Latest implements Registry.
func (c *Client) Latest(ctx context.Context, subject string) (Schema, error) {
	got, err := c.client.SchemaByVersion(ctx, subject, -1)
	if err != nil {
		return Schema{}, c.wrap(err, "fetching the latest schema of %s", subject)
	}
	return fromSubject(got), nil
}

// Version implements Registry.
func (c *Client) Version(ctx context.Context, subject string, version int) (Schema, error) {
	got, err := c.client.SchemaByVersion(ctx, subject, version)
	if err != nil {
		return Schema{}, c.wrap(err, "fetching version %d of %s", version, subject)
	}
	return fromSubject(got), nil
}

// Register implements Registry.
func (c *Client) Register(ctx context.Context, subject string, s Schema) (int, error) {
	out, err := toClient(s)
	if err != nil {
		return 0, err
	}
	id, err := c.client.RegisterSchema(ctx, subject, out, -1, -1)
	if err != nil {
		return 0, c.wrap(err, "registering a schema under %s", subject)
	}
	return id, nil
}

// Lookup implements Registry.
func (c *Client) Lookup(ctx context.Context, subject string, s Schema) (Schema, bool, error) {
	out, err := toClient(s)
	if err != nil {
		return Schema{}, false, err
	}
	got, err := c.client.LookupSchema(ctx, subject, out)
	if err != nil {
		if err = c.wrap(err, "looking up a schema under %s", subject); errors.Is(err, ErrNotFound) {
			return Schema{}, false, nil
		}
		return Schema{}, false, err
	}
	return fromSubject(got), true, nil
}

// DeleteSubject implements Registry.
func (c *Client) DeleteSubject(ctx context.Context, subject string) error {
	_, err := c.client.DeleteSubject(ctx, subject, sr.SoftDelete)
	if err == nil {
		return nil
	}
	if err = c.wrap(err, "deleting subject %s", subject); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func fromClient(s sr.Schema) Schema {
	out := Schema{Type: s.Type.String(), Text: s.Schema}
	for _, r := range s.References {
		out.References = append(out.References, Reference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return out
}

func fromSubject(s sr.SubjectSchema) Schema {
	out := fromClient(s.Schema)
	out.ID, out.Subject, out.Version = s.ID, s.Subject, s.Version
	return out
}

func toClient(s Schema) (sr.Schema, error) {
	out := sr.Schema{Schema: s.Text}
	if err := out.Type.UnmarshalText([]byte(typeOf(s))); err != nil {
		return out, fmt.Errorf("registering a schema of type %s: %w", s.Type, err)
	}
	for _, r := range s.References {
		out.References = append(out.References, sr.SchemaReference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return out, nil
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// metadataMinAge bounds how soon after one look at the cluster's metadata the
// client takes the next. franz-go's default of seconds would make a client that
// asked for a topic a moment too early wait that long.
const metadataMinAge = 100 * time.Millisecond

// Config says where the Kafka cluster and its Schema Registry are and under
// which name this process talks to them.
type Config struct {
	// Brokers are the bootstrap addresses, host:port each.
	Brokers []string
	// SchemaRegistry is the registry's base URL, such as http://127.0.0.1:8081;
	// several, separated by commas, are tried in turn.
	SchemaRegistry string
	// Options are added to those of every client, such as how to log in. May be empty.
	Options []kgo.Opt
	// RegistryTransport sends the requests to the Schema Registry. Nil means
	// http.DefaultTransport.
	RegistryTransport http.RoundTripper
	// ClientID is the name under which brokers log and measure this client.
	// Empty means "orderflow".
	ClientID string
	// Logger gets the client's own messages. Nil means slog.Default.
	Logger *slog.Logger
}

// Validate reports what in the configuration can't work, as one error a cause.
// An empty SchemaRegistry is accepted here; [NewRegistry] needs it.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("no Kafka brokers given: name at least one as host:port"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("kafka broker %q is not host:port: %w", b, err))
		}
	}
	return errors.Join(errs...)
}

func (c Config) clientID() string {
	if c.ClientID == "" {
		return "orderflow"
	}
	return c.ClientID
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

// NewClient returns a Kafka client with the project's defaults: read committed,
// acknowledgement by all in-sync replicas, idempotent producing, no lingering
// (records that arrive while a request is under way still share the next one).
// opts come after the defaults and may override them; consumers add their
// topics and group there. The client connects on first use.
func NewClient(cfg Config, opts ...kgo.Opt) (*kgo.Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	all := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(cfg.clientID()),
		kgo.WithLogger(clientLogger{cfg.logger()}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MetadataMinAge(metadataMinAge),
	}, slices.Concat(cfg.Options, opts)...)
	client, err := kgo.NewClient(all...)
	if err != nil {
		return nil, fmt.Errorf("setting up the Kafka client for %s: %w", strings.Join(cfg.Brokers, ","), err)
	}
	return client, nil
}

// clientLogger hands franz-go's messages to slog, a level lower than franz-go
// names them where it is talkative: its "info" tells of every connection.
type clientLogger struct{ logger *slog.Logger }

func (l clientLogger) Level() kgo.LogLevel {
	ctx := context.Background()
	switch {
	case l.logger.Enabled(ctx, slog.LevelDebug):
		return kgo.LogLevelInfo
	case l.logger.Enabled(ctx, slog.LevelWarn):
		return kgo.LogLevelWarn
	case l.logger.Enabled(ctx, slog.LevelError):
		return kgo.LogLevelError
	default:
		return kgo.LogLevelNone
	}
}

func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	slogLevel := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		slogLevel = slog.LevelError
	case kgo.LogLevelWarn:
		slogLevel = slog.LevelWarn
	}
	l.logger.Log(context.Background(), slogLevel, "kafka client: "+msg, keyvals...)
}

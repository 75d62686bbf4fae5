package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func env(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func TestTracesAreOffUnlessTheVariablesSayOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
		err  string
	}{
		"nothing":           {nil, false, ""},
		"an endpoint":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, ""},
		"one for traces":    {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true, ""},
		"an exporter":       {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		"none":              {map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, false, ""},
		"disabled":          {map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, false, ""},
		"another exporter":  {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, "zipkin"},
		"another protocol":  {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "http/protobuf"},
		"a share":           {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, true, ""},
		"too large a share": {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, false, "from 0 to 1"},
		"another sampler":   {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "jaeger_remote"}, false, "jaeger_remote"},
	} {
		t.Run(name, func(t *testing.T) {
			tracing, err := NewTracing(t.Context(), "test", env(c.env))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, tracing != nil)
			require.NoError(t, tracing.Close())
		})
	}
}

func TestWithoutTracingNothingHappens(t *testing.T) {
	var tracing *Tracing
	ctx, span := tracing.NewOrder(t.Context(), "o-1", "x")
	span.End(errors.New("x"))
	_, span = tracing.Order(ctx, "o-1", "x", time.Time{})
	span.Status(500)
	span.End(nil)
	_, span = tracing.Request(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), "/")
	span.End(nil)
	assert.Empty(t, tracing.KafkaOptions())
	require.NoError(t, tracing.Close())
}

func TestSpansOfAnOrderJoinWithoutAContextBetweenThem(t *testing.T) {
	first, second := tracetest.NewInMemoryExporter(), tracetest.NewInMemoryExporter()
	api, inventory := TracingTo(first), TracingTo(second)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/orders", nil)
	r.Header.Set("traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	ctx, request := api.Request(r, "/v1/orders")
	_, root := api.NewOrder(ctx, "o-1", "order received")
	_, other := api.NewOrder(ctx, "o-2", "order received")
	other.End(nil)
	root.End(nil)
	request.Status(http.StatusServiceUnavailable)
	request.End(nil)
	_, span := inventory.Order(context.Background(), "o-1", "stock reserved", time.UnixMilli(5))
	span.End(errors.New("no broker"))

	spans := first.GetSpans()
	require.Len(t, spans, 3)
	order, http := spans[1], spans[2]
	assert.Equal(t, OrderTrace("o-1"), order.SpanContext.TraceID().String())
	assert.Equal(t, OrderTrace("o-2"), spans[0].SpanContext.TraceID().String())
	assert.NotEqual(t, OrderTrace("o-1"), OrderTrace("o-2"))
	assert.False(t, order.Parent.IsValid())
	require.Len(t, order.Links, 1)
	assert.Equal(t, http.SpanContext.SpanID(), order.Links[0].SpanContext.SpanID())
	assert.Equal(t, "0123456789abcdef0123456789abcdef", http.SpanContext.TraceID().String(), "the client's trace goes on")
	assert.Equal(t, codes.Error, http.Status.Code)

	reserved := second.GetSpans()
	require.Len(t, reserved, 1)
	assert.Equal(t, order.SpanContext.TraceID(), reserved[0].SpanContext.TraceID())
	assert.Equal(t, order.SpanContext.SpanID(), reserved[0].Parent.SpanID())
	assert.Equal(t, codes.Error, reserved[0].Status.Code)
	assert.Equal(t, int64(5), reserved[0].StartTime.UnixMilli())
}

func TestAnOrderIsSampledByAllOrNone(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	tracing := newTracing(sdktrace.TraceIDRatioBased(0.5), sdktrace.WithSyncer(exporter))
	spans := map[string]int{}
	for i := range 200 {
		id := string(rune('a' + i))
		_, span := tracing.NewOrder(t.Context(), id, "order received")
		span.End(nil)
		_, span = tracing.Order(t.Context(), id, "stock reserved", time.Time{})
		span.End(nil)
	}
	for _, s := range exporter.GetSpans() {
		spans[s.SpanContext.TraceID().String()]++
	}
	assert.Greater(t, len(spans), 50)
	assert.Less(t, len(spans), 150)
	for _, n := range spans {
		assert.Equal(t, 2, n)
	}
}

func TestTracesAreSent(t *testing.T) {
	sent := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Contains(t, string(body), "order received")
		assert.Contains(t, string(body), "orderflow-test")
		sent <- r.URL.Path + " " + r.Header.Get("Content-Type")
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tracing, err := NewTracing(t.Context(), "orderflow-test", env(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}))
	require.NoError(t, err)
	_, span := tracing.NewOrder(t.Context(), "o-1", "order received")
	span.End(nil)
	require.NoError(t, tracing.Close())
	assert.Equal(t, "/v1/traces application/x-protobuf", <-sent)
}

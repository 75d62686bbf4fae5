package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names who makes the spans.
const scope = "github.com/orderflow/orderflow"

// Tracing makes OpenTelemetry spans. All that happens to one order, in whichever process,
// is one trace: its id is made from the order's id. So spans join also where no context is
// handed on: whether a ksqlDB statement's results have the headers of what caused them
// depends on the statement and the server. The request that brought the order is a span of
// its client's trace and linked with the order's.
//
// The nil Tracing makes none. It is safe for concurrent use.
type Tracing struct {
	provider trace.TracerProvider
	tracer   trace.Tracer
	sampler  sdktrace.Sampler
	shutdown func(context.Context) error
}

// NewTracing returns what makes the spans of a service and sends them, as the standard
// variables OTEL_* say (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
// Without OTEL_TRACES_EXPORTER=otlp, OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT there are no spans, and it returns nil. Whoever made
// it calls Close.
func NewTracing(ctx context.Context, service string, lookupEnv func(string) (string, bool)) (*Tracing, error) {
	get := func(name string) string { v, _ := lookupEnv(name); return strings.TrimSpace(v) }
	on, err := wantsTraces(get)
	if err != nil || !on {
		return nil, err
	}
	sampler, err := rootSampler(get)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("setting up the exporter of traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("reading what OTEL_RESOURCE_ATTRIBUTES says: %w", err)
	}
	return newTracing(sampler, sdktrace.WithBatcher(exporter), sdktrace.WithResource(described)), nil
}

// TracingTo returns what makes every span and hands each to an exporter as it ends.
func TracingTo(exporter sdktrace.SpanExporter) *Tracing {
	return newTracing(sdktrace.AlwaysSample(), sdktrace.WithSyncer(exporter))
}

func newTracing(sampler sdktrace.Sampler, opts ...sdktrace.TracerProviderOption) *Tracing {
	provider := sdktrace.NewTracerProvider(append(opts, sdktrace.WithSampler(sdktrace.ParentBased(sampler)), sdktrace.WithIDGenerator(ids{}))...)
	return &Tracing{provider: provider, tracer: provider.Tracer(scope), sampler: sampler, shutdown: provider.Shutdown}
}

// wantsTraces reports whether the variables switch traces on.
func wantsTraces(get func(string) string) (bool, error) {
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	protocol := get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = get("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch exporter := get("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return false, nil
	case "otlp":
	case "":
		if get("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
			return false, nil
		}
	default:
		return false, fmt.Errorf("setting up traces: OTEL_TRACES_EXPORTER is %q; there are otlp and none", exporter)
	}
	if protocol != "" && protocol != "http/protobuf" {
		return false, fmt.Errorf("setting up traces: OTEL_EXPORTER_OTLP_PROTOCOL is %q; only http/protobuf is spoken", protocol)
	}
	return true, nil
}

// rootSampler decides about traces that begin here, by OTEL_TRACES_SAMPLER.
func rootSampler(get func(string) string) (sdktrace.Sampler, error) {
	switch name := get("OTEL_TRACES_SAMPLER"); strings.TrimPrefix(name, "parentbased_") {
	case "", "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		text := get("OTEL_TRACES_SAMPLER_ARG")
		if text == "" {
			return sdktrace.AlwaysSample(), nil
		}
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return nil, fmt.Errorf("setting up traces: OTEL_TRACES_SAMPLER_ARG is %q; it must be a number from 0 to 1", text)
		}
		return sdktrace.TraceIDRatioBased(share), nil
	default:
		return nil, fmt.Errorf("setting up traces: OTEL_TRACES_SAMPLER is %q; there are always_on, always_off and traceidratio, each also with parentbased_ in front", name)
	}
}

// Close sends what is left, for at most 5 seconds.
func (t *Tracing) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

// orderKey has, in a context, the order whose trace begins.
type orderKey struct{}

// ids gives spans random ids, but those of an order's first span are made from the order's id.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (traceID trace.TraceID, spanID trace.SpanID) {
	if id, ok := ctx.Value(orderKey{}).(string); ok {
		return orderIDs(id)
	}
	// crypto/rand does not fail.
	_, _ = rand.Read(traceID[:])
	_, _ = rand.Read(spanID[:])
	return traceID, spanID
}

func (ids) NewSpanID(context.Context, trace.TraceID) (spanID trace.SpanID) {
	_, _ = rand.Read(spanID[:])
	return spanID
}

func orderIDs(id string) (traceID trace.TraceID, spanID trace.SpanID) {
	sum := sha256.Sum256([]byte("orderflow order\x00" + id))
	copy(traceID[:], sum[:16])
	copy(spanID[:], sum[16:24])
	return traceID, spanID
}

// OrderTrace returns the trace of an order as 32 hexadecimal digits.
func OrderTrace(orderID string) string {
	id, _ := orderIDs(orderID)
	return id.String()
}

// Span is a span that may be none. The nil Span is none.
type Span struct{ span trace.Span }

// End ends the span; with an error, as failed.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.RecordError(err)
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Request begins the span of an HTTP request. It belongs to the trace that the client's
// traceparent header names (https://www.w3.org/TR/trace-context/).
func (t *Tracing) Request(r *http.Request, route string) (context.Context, *Span) {
	if t == nil {
		return r.Context(), nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route)))
	return ctx, &Span{span}
}

// Status notes a request's answer.
func (s *Span) Status(code int) {
	if s == nil {
		return
	}
	s.span.SetAttributes(attribute.Int("http.response.status_code", code))
	if code >= http.StatusInternalServerError {
		s.span.SetStatus(codes.Error, http.StatusText(code))
	}
}

// NewOrder begins the first span of an order's trace, which the order's other spans are
// children of. It is linked with the span of ctx.
func (t *Tracing) NewOrder(ctx context.Context, orderID, name string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	opts := append(orderOptions(ctx, orderID), trace.WithNewRoot())
	_, span := t.tracer.Start(context.WithValue(ctx, orderKey{}, orderID), name, opts...)
	return trace.ContextWithSpan(ctx, span), &Span{span}
}

// Order begins a span of an order's trace at a moment; the zero time is now. It is linked
// with the span of ctx when that is of another trace.
func (t *Tracing) Order(ctx context.Context, orderID, name string, start time.Time) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	opts := orderOptions(ctx, orderID)
	if !start.IsZero() {
		opts = append(opts, trace.WithTimestamp(start))
	}
	ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, t.root(orderID)), name, opts...)
	return ctx, &Span{span}
}

func orderOptions(ctx context.Context, orderID string) []trace.SpanStartOption {
	opts := []trace.SpanStartOption{trace.WithAttributes(attribute.String("orderflow.order.id", orderID))}
	traceID, _ := orderIDs(orderID)
	if cause := trace.SpanContextFromContext(ctx); cause.IsValid() && cause.TraceID() != traceID {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: cause}))
	}
	return opts
}

// root is the first span of an order as another process knows it: sampled when the first
// span was, since the sampler decides by the trace's id.
func (t *Tracing) root(orderID string) trace.SpanContext {
	traceID, spanID := orderIDs(orderID)
	cfg := trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, Remote: true}
	decision := t.sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: traceID, Name: "order"})
	if decision.Decision == sdktrace.RecordAndSample {
		cfg.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(cfg)
}

// Context returns the context of what a record was written in, by its traceparent header.
func (t *Tracing) Context(ctx context.Context, rec *kgo.Record) context.Context {
	if t == nil {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, kotel.NewRecordCarrier(rec))
}

// KafkaOptions returns the client options that give each written record a span, in the
// trace of the record's context, and a traceparent header.
func (t *Tracing) KafkaOptions() []kgo.Opt {
	if t == nil {
		return nil
	}
	return []kgo.Opt{kgo.WithHooks(produceHooks{kotel.NewTracer(
		kotel.TracerProvider(t.provider), kotel.TracerPropagator(propagation.TraceContext{}))})}
}

// produceHooks are kotel's hooks of writing alone. Those of reading would begin a trace of
// its own with each record that ksqlDB wrote; consumers begin spans in the order's trace.
type produceHooks struct{ tracer *kotel.Tracer }

// OnProduceRecordBuffered begins the span of a record.
func (h produceHooks) OnProduceRecordBuffered(r *kgo.Record) {
	if r.Context == nil {
		r.Context = context.Background()
	}
	if !trace.SpanContextFromContext(r.Context).IsSampled() {
		// What no request or order caused begins no trace.
		r.Context = trace.ContextWithSpan(r.Context, noop.Span{})
		return
	}
	h.tracer.OnProduceRecordBuffered(r)
}

// OnProduceRecordUnbuffered ends the span of a record.
func (h produceHooks) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	h.tracer.OnProduceRecordUnbuffered(r, err)
}

package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
)

// The settings of transformations and converters.
const (
	transformsSetting = "transforms"
	predicatesSetting = "predicates"
	keyConverter      = "key.converter"
	valueConverter    = "value.converter"
	headerConverter   = "header.converter"
)

const (
	stringConverterClass = "org.apache.kafka.connect.storage.StringConverter"
	avroConverterClass   = "io.confluent.connect.avro.AvroConverter"
)

// The stages that a record passes, by the names that dead letters have.
const (
	stageTransformation  = "TRANSFORMATION"
	stageKeyConverter    = "KEY_CONVERTER"
	stageValueConverter  = "VALUE_CONVERTER"
	stageHeaderConverter = "HEADER_CONVERTER"
	stageTaskPut         = "TASK_PUT"
)

// stageError is what went wrong with a record in one stage.
type stageError struct {
	stage string
	class string // the Java class that the stage runs
	err   error
}

func (e *stageError) Error() string { return e.err.Error() }

// Unwrap gives what went wrong.
func (e *stageError) Unwrap() error { return e.err }

// codec is a converter with its class.
type codec struct {
	convert.Converter
	class string
}

// pipeline is what a task puts between the connector and its topics.
type pipeline struct {
	key, value, header codec
	chain              transform.Chain
	errors             tolerance
}

// newPipeline makes converters and transformations from a connector's settings.
func (w *worker) newPipeline(settings map[string]string) (*pipeline, error) {
	p := &pipeline{errors: newTolerance(w.cfg.Clock, settings)}
	var err error
	if p.key, err = w.converter(settings, keyConverter); err != nil {
		return nil, err
	}
	if p.value, err = w.converter(settings, valueConverter); err != nil {
		return nil, err
	}
	if p.header, err = w.converter(settings, headerConverter); err != nil {
		return nil, err
	}
	predicates, err := newPredicates(settings)
	if err != nil {
		return nil, err
	}
	for _, alias := range config.SplitList(settings[transformsSetting]) {
		prefix := transformsSetting + "." + alias + "."
		name := settings[prefix+"type"]
		class, ok := transform.Find(name)
		if !ok {
			return nil, fault.New(fault.Config, "Invalid value %s for configuration %stype: Class %s could not be found.", name, prefix, name)
		}
		t, err := class.New(config.Sub(settings, prefix))
		if err != nil {
			return nil, fmt.Errorf("making the transformation %s: %w", alias, err)
		}
		step := transform.Step{Transformation: t, Class: name, Negate: strings.EqualFold(settings[prefix+"negate"], "true")}
		if predicate := settings[prefix+"predicate"]; predicate != "" {
			if step.Predicate, ok = predicates[predicate]; !ok {
				return nil, missingPredicate(alias, predicate)
			}
		}
		p.chain = append(p.chain, step)
	}
	return p, nil
}

// missingPredicate is how the real worker misses a predicate that is not listed.
func missingPredicate(transformation, predicate string) error {
	unknown := fault.New(fault.Config, "Unknown configuration '%s.%s.type'", predicatesSetting, predicate)
	unknown.Hint = fmt.Sprintf("the transformation %s depends on the predicate %s, which %s does not list", transformation, predicate, predicatesSetting)
	return fault.Wrap(fault.Connect, unknown, "%s: %s", fault.Config, unknown.Message)
}

func newPredicates(settings map[string]string) (map[string]transform.Predicate, error) {
	list := map[string]transform.Predicate{}
	for _, alias := range config.SplitList(settings[predicatesSetting]) {
		prefix := predicatesSetting + "." + alias + "."
		name := settings[prefix+"type"]
		class, ok := transform.FindPredicate(name)
		if !ok {
			return nil, fault.New(fault.Config, "Invalid value %s for configuration %stype: Class %s could not be found.", name, prefix, name)
		}
		var err error
		if list[alias], err = class.New(config.Sub(settings, prefix)); err != nil {
			return nil, fmt.Errorf("making the predicate %s: %w", alias, err)
		}
	}
	return list, nil
}

// converter makes the connector's converter, or the worker's own.
func (w *worker) converter(settings map[string]string, name string) (codec, error) {
	class, given := settings[name]
	own := config.Sub(settings, name+".")
	if !given {
		switch name {
		case keyConverter:
			class, own = stringConverterClass, nil
		case headerConverter:
			class, own = convert.SimpleHeaderClass, nil
		default:
			if w.cfg.SchemaRegistry == "" {
				return codec{}, fault.New(fault.Config, "the connector names no value.converter and this worker has none of its own: set value.converter")
			}
			class, own = avroConverterClass, map[string]string{"schema.registry.url": w.cfg.SchemaRegistry}
		}
	}
	c, err := convert.New(convert.Environment{Dial: w.cfg.Dial, ReadFile: w.providers.readFile}, class, convert.Use(strings.TrimSuffix(name, ".converter")), own)
	return codec{c, class}, err
}

// exceeded is the error with which the real worker ends a task whose record can't
// be converted or transformed.
func exceeded(err error) error {
	return fault.Wrap(fault.Connect, err, "Tolerance exceeded in error handler")
}

// toKafka transforms a source's record and converts it; nil when a
// transformation dropped it. The error is a *stageError.
func (p *pipeline) toKafka(ctx context.Context, r *plugin.Record) (*kgo.Record, error) {
	out, err := p.transform(ctx, r)
	if err != nil || out == nil {
		return nil, err
	}
	record := &kgo.Record{Topic: out.Topic}
	for _, h := range out.Headers {
		raw, err := p.fromConnect(ctx, p.header, stageHeaderConverter, func() ([]byte, error) {
			return p.header.FromConnect(ctx, out.Topic, h.Schema, h.Value)
		})
		if err != nil {
			return nil, err
		}
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: raw})
	}
	if record.Key, err = p.fromConnect(ctx, p.key, stageKeyConverter, func() ([]byte, error) {
		return p.key.FromConnect(ctx, out.Topic, out.KeySchema, out.Key)
	}); err != nil {
		return nil, err
	}
	if record.Value, err = p.fromConnect(ctx, p.value, stageValueConverter, func() ([]byte, error) {
		return p.value.FromConnect(ctx, out.Topic, out.ValueSchema, out.Value)
	}); err != nil {
		return nil, err
	}
	if out.Timestamp != nil {
		record.Timestamp = millis(*out.Timestamp)
	}
	return record, nil
}

func (p *pipeline) transform(ctx context.Context, r *plugin.Record) (out *plugin.Record, err error) {
	err = p.errors.retry(ctx, func() error {
		out, err = p.chain.Apply(r)
		return err
	})
	if step, ok := errors.AsType[*transform.StepError](err); ok {
		return nil, &stageError{stageTransformation, step.Class, step.Err}
	}
	return out, err
}

func (p *pipeline) fromConnect(ctx context.Context, c codec, stage string, convert func() ([]byte, error)) (raw []byte, err error) {
	err = p.errors.retry(ctx, func() error {
		raw, err = convert()
		return err
	})
	if err != nil {
		return nil, &stageError{stage, c.class, err}
	}
	return raw, nil
}

// fromKafka converts a sink's record and transforms it; nil when it was dropped.
// The error is a *stageError.
func (p *pipeline) fromKafka(ctx context.Context, raw *kgo.Record) (*plugin.Record, error) {
	timestamp, partition := raw.Timestamp.UnixMilli(), raw.Partition
	r := &plugin.Record{
		Topic: raw.Topic, Partition: &partition, Timestamp: &timestamp,
		KafkaTopic: raw.Topic, KafkaPartition: raw.Partition, KafkaOffset: raw.Offset,
	}
	err := p.errors.retry(ctx, func() (err error) {
		r.KeySchema, r.Key, err = p.key.ToConnect(ctx, r.Topic, raw.Key)
		return err
	})
	if err != nil {
		return nil, &stageError{stageKeyConverter, p.key.class, err}
	}
	err = p.errors.retry(ctx, func() (err error) {
		r.ValueSchema, r.Value, err = p.value.ToConnect(ctx, r.Topic, raw.Value)
		return err
	})
	if err != nil {
		return nil, &stageError{stageValueConverter, p.value.class, err}
	}
	for _, h := range raw.Headers {
		header := plugin.Header{Key: h.Key}
		if header.Schema, header.Value, err = p.header.ToConnect(ctx, r.Topic, h.Value); err != nil {
			return nil, &stageError{stageHeaderConverter, p.header.class, err}
		}
		r.Headers = append(r.Headers, header)
	}
	return p.transform(ctx, r)
}

// passing reports whether an error says nothing of the record, so that it may not
// be skipped: the context ended.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled)
}

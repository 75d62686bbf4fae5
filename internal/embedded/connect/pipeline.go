package connect

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
)

// The settings of transformations and converters.
const (
	transformsSetting = "transforms"
	keyConverter      = "key.converter"
	valueConverter    = "value.converter"
	tolerateSetting   = "errors.tolerance"
	tolerateAll       = "all"
)

const (
	stringConverterClass = "org.apache.kafka.connect.storage.StringConverter"
	avroConverterClass   = "io.confluent.connect.avro.AvroConverter"
)

// pipeline is what a task puts between the connector and its topics.
type pipeline struct {
	key, value convert.Converter
	chain      transform.Chain
	tolerant   bool
}

// newPipeline makes converters and transformations from a connector's settings.
func (w *worker) newPipeline(settings map[string]string) (*pipeline, error) {
	p := &pipeline{tolerant: settings[tolerateSetting] == tolerateAll}
	var err error
	if p.key, err = w.converter(settings, keyConverter); err != nil {
		return nil, err
	}
	if p.value, err = w.converter(settings, valueConverter); err != nil {
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
		p.chain = append(p.chain, t)
	}
	return p, nil
}

// converter makes the connector's converter, or the worker's own.
func (w *worker) converter(settings map[string]string, name string) (convert.Converter, error) {
	key := name == keyConverter
	if class, ok := settings[name]; ok {
		return convert.New(class, key, config.Sub(settings, name+"."))
	}
	if key {
		return convert.New(stringConverterClass, true, nil)
	}
	if w.cfg.SchemaRegistry == "" {
		return nil, fault.New(fault.Config, "the connector names no value.converter and this worker has none of its own: set value.converter")
	}
	return convert.New(avroConverterClass, false, map[string]string{"schema.registry.url": w.cfg.SchemaRegistry})
}

// exceeded is the error with which the real worker ends a task whose record can't
// be converted or transformed.
func exceeded(err error) error {
	return fault.Wrap(fault.Connect, err, "Tolerance exceeded in error handler")
}

// toBytes transforms a source's record and converts it. An empty topic means that
// a transformation dropped it.
func (p *pipeline) toBytes(ctx context.Context, r *plugin.Record) (topic string, key, value []byte, out *plugin.Record, err error) {
	out, err = p.chain.Apply(r)
	if err != nil || out == nil {
		return "", nil, nil, nil, err
	}
	if key, err = p.key.FromConnect(ctx, out.Topic, out.KeySchema, out.Key); err != nil {
		return "", nil, nil, nil, err
	}
	if value, err = p.value.FromConnect(ctx, out.Topic, out.ValueSchema, out.Value); err != nil {
		return "", nil, nil, nil, err
	}
	return out.Topic, key, value, out, nil
}

// fromBytes converts a sink's record and transforms it; nil when it was dropped.
func (p *pipeline) fromBytes(ctx context.Context, r *plugin.Record, key, value []byte) (*plugin.Record, error) {
	var err error
	if r.KeySchema, r.Key, err = p.key.ToConnect(ctx, r.Topic, key); err != nil {
		return nil, err
	}
	if r.ValueSchema, r.Value, err = p.value.ToConnect(ctx, r.Topic, value); err != nil {
		return nil, err
	}
	return p.chain.Apply(r)
}

// passing reports whether an error says nothing of the record, so that it may not
// be skipped: the context ended.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled)
}

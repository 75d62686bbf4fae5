// Package transform has Kafka Connect's single message transformations: a chain
// of them changes records between a source task and its topic, or between a
// topic and a sink task.
//
// Invariants: a transformation never changes a schema or a value in place; what
// a class can't do, its Check says before a record is seen.
package transform

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// prefix is where the real transformations live.
const prefix = "org.apache.kafka.connect.transforms."

// Transformation changes one record. A nil record drops it.
type Transformation interface {
	Apply(r *plugin.Record) (*plugin.Record, error)
}

// Class is a kind of transformation.
type Class struct {
	// Name is the Java class it stands for, with $Key or $Value where it works
	// on either.
	Name       string
	Definition *config.Definition
	// check finds what is wrong with settings taken together; may be nil.
	check func(config.Settings) error
	make  func(config.Settings) (Transformation, error)
}

var classes = slices.Concat(
	castClasses(), dropHeadersClasses(), extractFieldClasses(), filterClasses(), flattenClasses(), headerFromClasses(),
	hoistFieldClasses(), insertFieldClasses(), insertHeaderClasses(), maskFieldClasses(), regexRouterClasses(),
	replaceFieldClasses(), setSchemaMetadataClasses(), timestampConverterClasses(), timestampRouterClasses(), valueToKeyClasses(),
)

// Classes lists the kinds of transformations by name.
func Classes() []Class { return slices.Clone(classes) }

// Find gives the kind of transformation with a Java class name.
func Find(name string) (Class, bool) {
	i := slices.IndexFunc(classes, func(c Class) bool { return c.Name == name })
	if i < 0 {
		return Class{}, false
	}
	return classes[i], true
}

// Check finds what is wrong with settings beyond single values.
func (c Class) Check(settings map[string]string) error {
	if c.check == nil {
		return nil
	}
	return c.check(config.NewSettings(c.Definition, settings))
}

// New makes a transformation from its settings, whose names are without prefix.
func (c Class) New(settings map[string]string) (Transformation, error) {
	return c.make(config.NewSettings(c.Definition, settings))
}

// Step is a transformation in a chain.
type Step struct {
	Transformation
	// Class is the Java class of the transformation.
	Class string
	// Predicate says for which records it is applied; nil for all.
	Predicate Predicate
	// Negate applies it where the predicate does not hold.
	Negate bool
}

// StepError is the error of one step of a chain.
type StepError struct {
	// Class is the Java class of the transformation.
	Class string
	Err   error
}

func (e *StepError) Error() string { return e.Err.Error() }

// Unwrap gives what went wrong.
func (e *StepError) Unwrap() error { return e.Err }

// Chain applies transformations one after the other.
type Chain []Step

// Apply gives the changed record, nil when it was dropped. The error is a
// *StepError.
func (c Chain) Apply(r *plugin.Record) (*plugin.Record, error) {
	for _, step := range c {
		if step.Predicate != nil && step.Predicate.Holds(r) == step.Negate {
			continue
		}
		changed, err := step.Apply(r)
		if err != nil {
			return nil, &StepError{step.Class, err}
		}
		if r = changed; r == nil {
			return nil, nil
		}
	}
	return r, nil
}

// side is the part of a record that a transformation works on.
type side bool

const (
	keySide   side = true
	valueSide side = false
)

// get gives the schema and the value of the side.
func (s side) get(r *plugin.Record) (*data.Schema, any) {
	if s == keySide {
		return r.KeySchema, r.Key
	}
	return r.ValueSchema, r.Value
}

// with gives a copy of the record with another schema and value on the side.
func (s side) with(r *plugin.Record, schema *data.Schema, value any) *plugin.Record {
	c := *r
	if s == keySide {
		c.KeySchema, c.Key = schema, value
	} else {
		c.ValueSchema, c.Value = schema, value
	}
	return &c
}

// both makes the $Key and the $Value class of a transformation.
func both(name string, def *config.Definition, check func(config.Settings) error, make func(side, config.Settings) (Transformation, error)) []Class {
	build := func(s side) func(config.Settings) (Transformation, error) {
		return func(settings config.Settings) (Transformation, error) { return make(s, settings) }
	}
	return []Class{
		{Name: prefix + name + "$Key", Definition: def, check: check, make: build(keySide)},
		{Name: prefix + name + "$Value", Definition: def, check: check, make: build(valueSide)},
	}
}

func key(name string, t config.Type, importance config.Importance, doc string) config.Key {
	return config.Key{Name: name, Type: t, Importance: importance, Order: -1, Width: config.NoWidth, Display: name, Doc: doc}
}

func required(k config.Key) config.Key {
	k.Required = true
	return k
}

func withDefault(k config.Key, def string) config.Key {
	k.Default = &def
	return k
}

func checked(k config.Key, check func(any) error) config.Key {
	k.Check = check
	return k
}

// The setting by which a transformation takes a field's default for a null.
const replaceNullSetting = "replace.null.with.default"

func replaceNullKey() config.Key {
	return withDefault(key(replaceNullSetting, config.Boolean, config.Medium, "Whether a null becomes its field's default."), "true")
}

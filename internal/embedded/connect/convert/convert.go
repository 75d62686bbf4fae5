// Package convert has Kafka Connect's converters, which turn records' keys and
// values into the bytes on topics and back.
//
// Invariants: a converter may be used from one goroutine at a time. What was
// written with FromConnect gives the same data with ToConnect as far as the
// format can tell.
package convert

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// Converter turns data into bytes and back. Null bytes are nil.
type Converter interface {
	FromConnect(ctx context.Context, topic string, schema *data.Schema, value any) ([]byte, error)
	ToConnect(ctx context.Context, topic string, raw []byte) (*data.Schema, any, error)
}

// Environment is what a converter gets from the worker.
type Environment struct {
	// Dial connects to the Schema Registry; nil means the operating system's network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// ReadFile reads a file that settings name; nil means any file.
	ReadFile func(path string) ([]byte, error)
}

// Class is a kind of converter.
type Class struct {
	// Name is the Java class it stands for.
	Name string
	// Definition lists the settings, without the prefix of the converter.
	Definition *config.Definition
	// registry marks those that keep schemas in a Schema Registry.
	registry bool
	make     func(env Environment, key bool, settings config.Settings) (Converter, error)
}

// Bundled reports whether the class comes with Kafka Connect.
func (c Class) Bundled() bool { return !c.registry }

var classes = []Class{
	avroClass(), jsonSchemaClass(), protobufClass(), jsonClass(), stringClass(),
	numberClass("ShortConverter", data.Int16), numberClass("IntegerConverter", data.Int32), numberClass("LongConverter", data.Int64),
	numberClass("FloatConverter", data.Float32), numberClass("DoubleConverter", data.Float64),
	booleanClass(), bytesClass(),
}

// headerClasses are the kinds of converters of headers. Those of schemas in a
// registry are none.
var headerClasses = slices.Concat(
	[]Class{simpleHeaderClass()},
	slices.DeleteFunc(slices.Clone(classes), func(c Class) bool { return c.registry }),
)

// Classes lists the kinds of converters of keys and values.
func Classes() []Class { return slices.Clone(classes) }

// HeaderClasses lists the kinds of converters of headers.
func HeaderClasses() []Class { return slices.Clone(headerClasses) }

// Find gives the kind of converter of keys and values with a Java class name.
func Find(name string) (Class, bool) { return find(classes, name) }

// FindHeader gives the kind of converter of headers with a Java class name.
func FindHeader(name string) (Class, bool) { return find(headerClasses, name) }

func find(list []Class, name string) (Class, bool) {
	i := slices.IndexFunc(list, func(c Class) bool { return c.Name == name })
	if i < 0 {
		return Class{}, false
	}
	return list[i], true
}

// Use is what a converter is for.
type Use string

// The uses of converters.
const (
	Key    Use = "key"
	Value  Use = "value"
	Header Use = "header"
)

// New makes a converter from its settings, whose names are without the
// converter's prefix.
func New(env Environment, class string, use Use, settings map[string]string) (Converter, error) {
	c, ok := Find(class)
	if use == Header {
		c, ok = FindHeader(class)
	}
	if !ok {
		return nil, fmt.Errorf("making a converter: the class %s is not one of this worker", class)
	}
	return c.make(env, use == Key, config.NewSettings(c.Definition, settings))
}

func typeKey(def string) config.Key {
	key := config.Key{Name: "converter.type", Type: config.String, Importance: config.Low, Order: -1, Width: config.NoWidth,
		Display: "converter.type", Required: true, Doc: "Whether the converter is for keys, values or headers; the worker sets it."}
	if def != "" {
		key.Default = &def
	}
	return key
}

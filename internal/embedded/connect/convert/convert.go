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
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// Converter turns data into bytes and back. Null bytes are nil.
type Converter interface {
	FromConnect(ctx context.Context, topic string, schema *data.Schema, value any) ([]byte, error)
	ToConnect(ctx context.Context, topic string, raw []byte) (*data.Schema, any, error)
}

// Class is a kind of converter.
type Class struct {
	// Name is the Java class it stands for.
	Name string
	// Definition lists the settings, without the prefix of the converter.
	Definition *config.Definition
	make       func(key bool, settings config.Settings) (Converter, error)
}

var classes = []Class{
	avroClass(), jsonClass(), stringClass(),
	numberClass("ShortConverter", data.Int16), numberClass("IntegerConverter", data.Int32), numberClass("LongConverter", data.Int64),
	numberClass("FloatConverter", data.Float32), numberClass("DoubleConverter", data.Float64),
	booleanClass(), bytesClass(),
}

// Classes lists the kinds of converters.
func Classes() []Class { return slices.Clone(classes) }

// Find gives the kind of converter with a Java class name.
func Find(name string) (Class, bool) {
	i := slices.IndexFunc(classes, func(c Class) bool { return c.Name == name })
	if i < 0 {
		return Class{}, false
	}
	return classes[i], true
}

// New makes a converter of keys or values from its settings, whose names are
// without the converter's prefix.
func New(class string, key bool, settings map[string]string) (Converter, error) {
	c, ok := Find(class)
	if !ok {
		return nil, fmt.Errorf("making a converter: the class %s is not one of this worker", class)
	}
	return c.make(key, config.NewSettings(c.Definition, settings))
}

func typeKey(def string) config.Key {
	key := config.Key{Name: "converter.type", Type: config.String, Importance: config.Low, Order: -1, Width: config.NoWidth,
		Display: "converter.type", Required: true, Doc: "Whether the converter is for keys, values or headers; the worker sets it."}
	if def != "" {
		key.Default = &def
	}
	return key
}

// Package config says which settings connectors, converters and transformations
// have, and validates settings as Kafka's ConfigDef does, with its messages.
//
// Invariants: settings are strings; a value that is in Values without an error
// has been parsed and passed its check. A setting that the real class has and
// this one doesn't honour is refused unless it has its default value.
package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// EmptyGroup is the group of settings whose group has an empty name; a key without a
// Group is in none.
const EmptyGroup = "(empty)"

// Type is the type of a setting, by Kafka's name.
type Type string

// The types of settings.
const (
	String   Type = "STRING"
	Int      Type = "INT"
	Short    Type = "SHORT"
	Long     Type = "LONG"
	Double   Type = "DOUBLE"
	Boolean  Type = "BOOLEAN"
	List     Type = "LIST"
	Class    Type = "CLASS"
	Password Type = "PASSWORD"
)

// Importance is how much a setting matters, by Kafka's name.
type Importance string

// The levels of importance.
const (
	High   Importance = "HIGH"
	Medium Importance = "MEDIUM"
	Low    Importance = "LOW"
)

// Width is how much room a user interface gives a setting, by Kafka's name.
type Width string

// The widths.
const (
	NoWidth Width = "NONE"
	Narrow  Width = "SHORT"
	Middle  Width = "MEDIUM"
	Wide    Width = "LONG"
)

// Key is one setting.
type Key struct {
	Name string
	Type Type
	// Default is nil for none. A key without default and without Required has
	// the default null.
	Default    *string
	Required   bool
	Importance Importance
	Group      string
	Order      int
	Width      Width
	Display    string
	Dependents []string
	Doc        string
	// Check looks at a parsed value (Parse), nil for null. Its error says why
	// the value can't be.
	Check func(v any) error
	// Recommended are values to choose from.
	Recommended []string
	// Hidden reports that a setting has no meaning beside others.
	Hidden func(settings map[string]string) bool
	// Unsupported marks a setting of the real class that is refused unless it
	// has its default value.
	Unsupported bool
}

// Definition is an ordered set of keys.
type Definition struct {
	Keys []Key
}

// Find gives the key with a name.
func (d *Definition) Find(name string) (*Key, bool) {
	i := slices.IndexFunc(d.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Keys[i], true
}

// Default makes a default value.
func Default(text string) *string { return &text }

// Value is what validation says of one setting.
type Value struct {
	Key *Key
	// Value is the parsed value written out, nil for null.
	Value       *string
	Recommended []string
	Errors      []string
	Visible     bool
}

// Values is what validation says of settings, in the order of the definitions.
type Values struct {
	List []*Value
}

// Get gives the value of a setting, nil for an unknown one.
func (v *Values) Get(name string) *Value {
	for _, value := range v.List {
		if value.Key.Name == name {
			return value
		}
	}
	return nil
}

// AddError adds an error to a setting. An unknown setting gets a value.
func (v *Values) AddError(name, format string, args ...any) {
	value := v.Get(name)
	if value == nil {
		value = &Value{Key: &Key{Name: name, Type: String, Importance: Low, Width: NoWidth, Display: name, Order: -1}, Visible: true}
		v.List = append(v.List, value)
	}
	value.Errors = append(value.Errors, fmt.Sprintf(format, args...))
}

// Errors lists all errors in order.
func (v *Values) Errors() []string {
	var list []string
	for _, value := range v.List {
		list = append(list, value.Errors...)
	}
	return list
}

// Validate checks settings against a definition. prefix is put before the name
// of every key, for settings of a converter or a transformation.
func Validate(d *Definition, prefix string, settings map[string]string) *Values {
	values := &Values{}
	for i := range d.Keys {
		key := &d.Keys[i]
		if prefix != "" {
			copied := *key
			copied.Name = prefix + key.Name
			key = &copied
		}
		values.List = append(values.List, validateKey(key, prefix, settings))
	}
	return values
}

// hiddenText is shown in place of a password.
const hiddenText = "[hidden]"

func validateKey(key *Key, prefix string, settings map[string]string) *Value {
	value := &Value{Key: key, Visible: key.Hidden == nil || !key.Hidden(settings), Recommended: key.Recommended}
	text, given := settings[key.Name]
	var parsed any
	switch {
	case given:
		var err error
		if parsed, err = Parse(key.Type, text); err != nil {
			value.Errors = append(value.Errors, fmt.Sprintf("Invalid value %s for configuration %s: %s", text, key.Name, err))
			// The real one goes on with null, and complains about that too.
			if key.Check != nil {
				if err := key.Check(nil); err != nil {
					value.Errors = append(value.Errors, refused(key, prefix, "null", err))
				}
			}
			return value
		}
	case key.Default != nil:
		var err error
		if parsed, err = Parse(key.Type, *key.Default); err != nil {
			value.Errors = append(value.Errors, fmt.Sprintf("Invalid value %s for configuration %s: %s", *key.Default, key.Name, err))
			return value
		}
	case key.Required:
		value.Errors = append(value.Errors, fmt.Sprintf("Missing required configuration %q which has no default value.", key.Name))
	}
	value.Value = format(parsed)
	plain := value.Value
	if key.Type == Password && parsed != nil {
		hidden := hiddenText
		value.Value, text = &hidden, hidden
	}
	if key.Check != nil {
		if err := key.Check(parsed); err != nil {
			shown := "null"
			if list, ok := parsed.([]string); ok {
				shown = "[" + strings.Join(list, ", ") + "]"
			} else if value.Value != nil {
				shown = *value.Value
			}
			value.Errors = append(value.Errors, refused(key, prefix, shown, err))
		}
	}
	if key.Unsupported && given && len(value.Errors) == 0 && !sameAsDefault(key, plain) {
		value.Errors = append(value.Errors, fmt.Sprintf("Invalid value %s for configuration %s: the embedded worker does not support this setting; leave it out", text, key.Name))
	}
	return value
}

func sameAsDefault(key *Key, value *string) bool {
	if key.Default == nil || value == nil {
		return value == nil || *value == ""
	}
	return strings.EqualFold(*value, *key.Default)
}

// Parse turns a setting's text into a string, int64, float64, bool or []string.
// A class is a string.
func Parse(t Type, text string) (any, error) {
	trimmed := strings.TrimSpace(text)
	switch t {
	case Int:
		return parseInt(trimmed, 32, t)
	case Short:
		return parseInt(trimmed, 16, t)
	case Long:
		return parseInt(trimmed, 64, t)
	case Double:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil {
			return nil, Errorf("Not a number of type %s", t)
		}
		return f, nil
	case Boolean:
		switch strings.ToLower(trimmed) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, message("Expected value to be either true or false")
	case List:
		return SplitList(trimmed), nil
	case Password:
		return text, nil
	default:
		return trimmed, nil
	}
}

// message is an error in Kafka's words, which begin with a capital letter.
type message string

func (m message) Error() string { return string(m) }

// Errorf makes an error in Kafka's words.
func Errorf(format string, args ...any) error { return message(fmt.Sprintf(format, args...)) }

// whole is an error that a check gives in place of the sentence about the setting
// and its value.
type whole string

func (w whole) Error() string { return string(w) }

// Wholef makes an error in Kafka's words that is all that is said of a setting.
func Wholef(format string, args ...any) error { return whole(fmt.Sprintf(format, args...)) }

// refused says why a check refuses a value. Checks know settings by their names
// without prefix.
func refused(key *Key, prefix, shown string, err error) string {
	if w, ok := err.(whole); ok {
		return string(w)
	}
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", shown, strings.TrimPrefix(key.Name, prefix), err)
}

func parseInt(text string, bits int, t Type) (any, error) {
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return nil, Errorf("Not a number of type %s", t)
	}
	return n, nil
}

// SplitList splits at commas and trims the parts; an empty text has none.
func SplitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func format(v any) *string {
	var text string
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		text = strings.Join(v, ",")
	default:
		text = fmt.Sprint(v)
	}
	return &text
}

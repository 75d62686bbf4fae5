package config

import (
	"strings"
	"time"
)

// Settings reads values of settings that were validated with a definition;
// what is not given has its default.
type Settings struct {
	def    *Definition
	values map[string]string
}

// NewSettings reads values by a definition.
func NewSettings(def *Definition, values map[string]string) Settings {
	return Settings{def: def, values: values}
}

// Sub gives the settings whose names begin with a prefix, without it.
func Sub(values map[string]string, prefix string) map[string]string {
	sub := map[string]string{}
	for name, value := range values {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			sub[rest] = value
		}
	}
	return sub
}

func (s Settings) parsed(name string) any {
	key, ok := s.def.Find(name)
	if !ok {
		return nil
	}
	text, given := s.values[name]
	if !given {
		if key.Default == nil {
			return nil
		}
		text = *key.Default
	}
	v, err := Parse(key.Type, text)
	if err != nil {
		return nil
	}
	return v
}

// Text gives a string, empty for null.
func (s Settings) Text(name string) string {
	text, _ := s.parsed(name).(string)
	return text
}

// Number gives a whole number, 0 for null.
func (s Settings) Number(name string) int64 {
	n, _ := s.parsed(name).(int64)
	return n
}

// Given reports whether a setting has a value of its own or a default.
func (s Settings) Given(name string) bool { return s.parsed(name) != nil }

// Said reports whether a setting has a value of its own.
func (s Settings) Said(name string) bool {
	_, ok := s.values[name]
	return ok
}

// Milliseconds gives a whole number of milliseconds.
func (s Settings) Milliseconds(name string) time.Duration {
	return time.Duration(s.Number(name)) * time.Millisecond
}

// Flag gives a boolean, false for null.
func (s Settings) Flag(name string) bool {
	b, _ := s.parsed(name).(bool)
	return b
}

// List gives a list, empty for null.
func (s Settings) List(name string) []string {
	list, _ := s.parsed(name).([]string)
	return list
}

package config

import (
	"slices"
	"strings"
)

// NonNull refuses null.
func NonNull(v any) error {
	if v == nil {
		return Errorf("The config must be provided and non-null.")
	}
	return nil
}

// AtLeast wants a whole number from least on.
func AtLeast(least int64) func(any) error {
	return func(v any) error {
		n, ok := v.(int64)
		if !ok {
			return Errorf("Value must be non-null")
		}
		if n < least {
			return Errorf("Value must be at least %d", least)
		}
		return nil
	}
}

// Between wants a whole number in a range.
func Between(least, most int64) func(any) error {
	return func(v any) error {
		if err := AtLeast(least)(v); err != nil {
			return err
		}
		if v.(int64) > most {
			return Errorf("Value must be no more than %d", most)
		}
		return nil
	}
}

// NonEmpty refuses the empty string.
func NonEmpty(v any) error {
	if text, ok := v.(string); ok && text == "" {
		return Errorf("String may not be empty")
	}
	return nil
}

// NonEmptyString refuses the empty string, in other words.
func NonEmptyString(v any) error {
	if text, ok := v.(string); ok && text == "" {
		return Errorf("String must be non-empty")
	}
	return nil
}

// OneOf wants one of some values, in the case they have.
func OneOf(values ...string) func(any) error {
	return func(v any) error {
		if text, ok := v.(string); ok && slices.Contains(values, text) {
			return nil
		}
		return Errorf("String must be one of: %s", strings.Join(values, ", "))
	}
}

// OneOfFold wants one of some values, in any case, in other words than OneOfAnyCase.
func OneOfFold(values ...string) func(any) error {
	return func(v any) error {
		if text, ok := v.(string); ok && slices.ContainsFunc(values, func(w string) bool { return strings.EqualFold(w, text) }) {
			return nil
		}
		return Errorf("String must be one of (case insensitive): %s", strings.Join(values, ", "))
	}
}

// OneOfAnyCase wants one of some values, in any case.
func OneOfAnyCase(values ...string) func(any) error {
	return func(v any) error {
		if text, ok := v.(string); ok && slices.ContainsFunc(values, func(w string) bool { return strings.EqualFold(w, text) }) {
			return nil
		}
		return Errorf("Value must be one of: [%s]", strings.Join(values, ", "))
	}
}

package parser

import (
	"slices"
	"strings"
)

// set is a set of things that the grammar allows at some place.
type set struct {
	kinds []kind
	// ident adds all identifiers.
	ident bool
	// value adds all that a value expression can start with, identifiers included.
	value bool
	// condition adds all that an expression can start with.
	condition bool
	// what names the set in a hint, where the list would be long.
	what string
}

func oneOf(kinds ...kind) set { return set{kinds: kinds} }

var (
	identSet     = set{ident: true, what: "a name"}
	valueSet     = set{value: true, what: "an expression"}
	conditionSet = set{value: true, condition: true, what: "an expression"}
	numberSet    = set{kinds: []kind{kindMinus, kindInteger, kindDecimal, kindFloat}, what: "a number"}
	resourceSet  = set{ident: true, kinds: []kind{kindStringText}, what: "a name"}
	typeSet      = set{ident: true, kinds: []kind{kwDecimal}, what: "a type"}
	literalSet   = set{kinds: []kind{
		kwNull, kwTrue, kwFalse, kindMinus, kindStringText, kindInteger, kindDecimal, kindFloat, kindVariable,
	}, what: "a literal"}
	unitSet = set{kinds: []kind{
		kwDay, kwHour, kwMinute, kwSecond, kwMillisecond, kwDays, kwHours, kwMinutes, kwSeconds, kwMilliseconds,
	}, what: "a unit of time (MILLISECONDS, SECONDS, MINUTES, HOURS or DAYS)"}
	operatorSet = set{kinds: []kind{
		kwAt, kwOr, kwAnd, kwIn, kwNot, kwBetween, kwLike, kwIs, kindLeftBracket,
		kindEq, kindNotEq, kindLess, kindLessEq, kindGreater, kindGreaterEq,
		kindPlus, kindMinus, kindStar, kindSlash, kindPercent, kindConcat, kindArrow,
	}, what: "an operator"}
)

// with returns the union of s and t, named like s.
func (s set) with(t set) set {
	return set{
		kinds: append(slices.Clone(s.kinds), t.kinds...),
		ident: s.ident || t.ident, value: s.value || t.value, condition: s.condition || t.condition,
		what: s.what,
	}
}

func (s set) has(k kind) bool {
	switch {
	case slices.Contains(s.kinds, k):
		return true
	case k.isIdent():
		return s.ident || s.value
	case s.condition && k == kwNot:
		return true
	}
	return s.value && startsValue(k)
}

func startsValue(k kind) bool {
	switch k {
	case kwNull, kwTrue, kwFalse, kindStringText, kindMinus, kindPlus, kwCase, kwCast, kindLeftParen:
		return true
	}
	return k.isNumber() || k.isIdent()
}

// String lists the set as ksqlDB's messages do; it is empty when the list would
// be longer than they ever show.
func (s set) String() string {
	if s.ident || s.value {
		return ""
	}
	kinds := slices.Clone(s.kinds)
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	if len(kinds) == 1 {
		return display[kinds[0]]
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = display[k]
	}
	return "{" + strings.Join(names, ", ") + "}"
}

// describe names the set for people.
func (s set) describe() string {
	if s.what != "" {
		return s.what
	}
	kinds := slices.Clone(s.kinds)
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = describeKind(k)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

func describeKind(k kind) string {
	switch {
	case k.isKeyword():
		return strings.Trim(display[k], "'")
	case k == kindEOF:
		return "the end of the text"
	case k == kindStringText:
		return "text in single quotes"
	case k == kindInteger:
		return "a whole number"
	case k == kindIdent:
		return "a plain name"
	}
	return display[k]
}

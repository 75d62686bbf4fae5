// Package timefmt formats and parses times by the patterns of Java's
// DateTimeFormatter (yyyy-MM-dd HH:mm:ss.SSS), which ksqlDB's SQL uses in
// functions and in the TIMESTAMP_FORMAT of sources.
//
// Invariants: a Pattern is immutable and may be used by several goroutines;
// names of months and days are English; weeks begin on Sunday and the week of
// 1 January is the first, as in the locale that ksqlDB's servers run with.
package timefmt

import (
	"fmt"
	"strings"
)

// Pattern is a compiled pattern.
type Pattern struct {
	text  string
	items []item
}

type field uint8

// The fields of a date and a time.
const (
	fieldNone field = iota
	fieldEra
	fieldYear
	fieldYearOfEra
	fieldWeekYear
	fieldQuarter
	fieldMonth
	fieldWeek
	fieldWeekOfMonth
	fieldDayOfYear
	fieldDay
	fieldWeekday
	fieldLocalWeekday
	fieldAlignedWeek
	fieldAmPm
	fieldHour
	fieldClockHour
	fieldHourOfAmPm
	fieldClockHourOfAmPm
	fieldMinute
	fieldSecond
	fieldNano
	fieldMilliOfDay
	fieldNanoOfDay
	fieldCount
)

type itemKind uint8

const (
	kindLiteral itemKind = iota
	kindNumber
	kindReduced
	kindText
	kindFraction
	kindOffset
	kindGMTOffset
	kindZoneID
	kindZoneText
	kindOptional
)

type signStyle uint8

const (
	signNormal signStyle = iota
	signExceedsPad
	signNotNegative
)

// item is a piece of a pattern.
type item struct {
	kind  itemKind
	field field
	// literal is the text of a literal and the zero of an offset.
	literal  string
	min, max int
	sign     signStyle
	// reserved counts the digits of the numbers that follow without anything
	// between.
	reserved int
	// style is the number of letters of a text or an offset.
	style  int
	nested []item
}

// Compile reads a pattern.
func Compile(pattern string) (*Pattern, error) {
	c := &compiler{rest: pattern}
	items, err := c.items(0)
	if err != nil {
		return nil, fmt.Errorf("reading the time pattern %q: %w", pattern, err)
	}
	return &Pattern{text: pattern, items: items}, nil
}

// String is the pattern as it was given.
func (p *Pattern) String() string { return p.text }

type compiler struct{ rest string }

// maxOptional is how deep optional parts may be nested.
const maxOptional = 50

func (c *compiler) items(depth int) ([]item, error) {
	if depth > maxOptional {
		return nil, fmt.Errorf("optional parts are nested more than %d levels deep", maxOptional)
	}
	var items []item
	// active is the number that takes up the digits left over by those that
	// follow it directly.
	active := -1
	for c.rest != "" {
		r := c.rest[0]
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			n := len(c.rest) - len(strings.TrimLeft(c.rest, string(r)))
			c.rest = c.rest[n:]
			it, err := letters(r, n)
			if err != nil {
				return nil, err
			}
			items = append(items, it)
			active = reserve(items, active)
		case r == '\'':
			text, err := c.quoted()
			if err != nil {
				return nil, err
			}
			items, active = append(items, item{kind: kindLiteral, literal: text}), -1
		case r == '[':
			c.rest = c.rest[1:]
			nested, err := c.items(depth + 1)
			if err != nil {
				return nil, err
			}
			items, active = append(items, item{kind: kindOptional, nested: nested}), -1
		case r == ']':
			if depth == 0 {
				return nil, fmt.Errorf("] without [")
			}
			c.rest = c.rest[1:]
			return items, nil
		case r == '{' || r == '}' || r == '#':
			return nil, fmt.Errorf("Pattern includes reserved character: '%c'", r)
		default:
			items, active = append(items, item{kind: kindLiteral, literal: c.rest[:1]}), -1
			c.rest = c.rest[1:]
		}
	}
	return items, nil
}

// reserve tells the active number of the item appended last, and gives the
// active number for the next one.
func reserve(items []item, active int) int {
	last := len(items) - 1
	it := &items[last]
	switch {
	case it.kind != kindNumber && it.kind != kindReduced && it.kind != kindFraction:
		return -1
	case active >= 0 && it.min == it.max:
		items[active].reserved += it.min
		return active
	case it.kind == kindFraction:
		return -1
	default:
		return last
	}
}

func (c *compiler) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(c.rest); i++ {
		if c.rest[i] != '\'' {
			b.WriteByte(c.rest[i])
			continue
		}
		if i+1 < len(c.rest) && c.rest[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		c.rest = c.rest[i+1:]
		if b.Len() == 0 {
			return "'", nil
		}
		return b.String(), nil
	}
	return "", fmt.Errorf("Pattern ends with an incomplete string literal: %s", c.rest)
}

var numberFields = map[byte]field{
	'd': fieldDay, 'H': fieldHour, 'k': fieldClockHour, 'K': fieldHourOfAmPm, 'h': fieldClockHourOfAmPm,
	'm': fieldMinute, 's': fieldSecond, 'w': fieldWeek,
}

var textFields = map[byte]field{
	'M': fieldMonth, 'L': fieldMonth, 'Q': fieldQuarter, 'q': fieldQuarter, 'E': fieldWeekday, 'e': fieldLocalWeekday,
	'c': fieldLocalWeekday, 'G': fieldEra, 'a': fieldAmPm,
}

func letters(r byte, n int) (item, error) {
	tooMany := fmt.Errorf("Too many pattern letters: %c", r)
	switch r {
	case 'u', 'y', 'Y':
		f := map[byte]field{'u': fieldYear, 'y': fieldYearOfEra, 'Y': fieldWeekYear}[r]
		switch {
		case n == 2:
			return item{kind: kindReduced, field: f, min: 2, max: 2}, nil
		case n < 4:
			return item{kind: kindNumber, field: f, min: n, max: 19}, nil
		default:
			return item{kind: kindNumber, field: f, min: n, max: 19, sign: signExceedsPad}, nil
		}
	case 'M', 'L', 'Q', 'q', 'E', 'e', 'c', 'G', 'a':
		return textLetters(r, n, tooMany)
	case 'd', 'H', 'k', 'K', 'h', 'm', 's', 'w':
		return number(numberFields[r], n, 2, tooMany)
	case 'D':
		if n == 2 {
			return item{kind: kindNumber, field: fieldDayOfYear, min: 2, max: 3, sign: signNotNegative}, nil
		}
		return number(fieldDayOfYear, n, 3, tooMany)
	case 'W':
		return number(fieldWeekOfMonth, n, 1, tooMany)
	case 'F':
		return number(fieldAlignedWeek, n, 1, tooMany)
	case 'S':
		return item{kind: kindFraction, field: fieldNano, min: n, max: n}, nil
	case 'A', 'n', 'N':
		f := map[byte]field{'A': fieldMilliOfDay, 'n': fieldNano, 'N': fieldNanoOfDay}[r]
		return item{kind: kindNumber, field: f, min: n, max: 19, sign: signNotNegative}, nil
	default:
		return zoneLetters(r, n, tooMany)
	}
}

// number is a number of one letter (as many digits as it has) or of more (so
// many digits).
func number(f field, n, most int, tooMany error) (item, error) {
	switch {
	case n > most:
		return item{}, tooMany
	case n == 1:
		return item{kind: kindNumber, field: f, min: 1, max: 19}, nil
	default:
		return item{kind: kindNumber, field: f, min: n, max: n, sign: signNotNegative}, nil
	}
}

func textLetters(r byte, n int, tooMany error) (item, error) {
	f := textFields[r]
	switch {
	case n > 5 || r == 'a' && n > 1 || r == 'c' && n == 2:
		return item{}, tooMany
	case n <= 2 && r != 'E' && r != 'G' && r != 'a':
		return number(f, n, 2, tooMany)
	}
	if f == fieldLocalWeekday {
		f = fieldWeekday
	}
	return item{kind: kindText, field: f, style: max(n, 3)}, nil
}

func zoneLetters(r byte, n int, tooMany error) (item, error) {
	switch r {
	case 'V':
		if n != 2 {
			return item{}, fmt.Errorf("Pattern letter count must be 2: %c", r)
		}
		return item{kind: kindZoneID}, nil
	case 'z':
		if n > 4 {
			return item{}, tooMany
		}
		return item{kind: kindZoneText, style: n}, nil
	case 'O':
		if n != 1 && n != 4 {
			return item{}, fmt.Errorf("Pattern letter count must be 1 or 4: %c", r)
		}
		return item{kind: kindGMTOffset, style: n}, nil
	case 'X', 'x':
		if n > 5 {
			return item{}, tooMany
		}
		zero := "Z"
		if r == 'x' {
			zero = []string{"+00", "+0000", "+00:00", "+0000", "+00:00"}[n-1]
		}
		return item{kind: kindOffset, style: n, literal: zero}, nil
	case 'Z':
		switch {
		case n <= 3:
			return item{kind: kindOffset, style: 2, literal: "+0000"}, nil
		case n == 4:
			return item{kind: kindGMTOffset, style: 4}, nil
		case n == 5:
			return item{kind: kindOffset, style: 5, literal: "Z"}, nil
		}
		return item{}, tooMany
	default:
		return item{}, fmt.Errorf("Unknown pattern letter: %c", r)
	}
}

package function

import (
	"fmt"
	"unicode"
	"unicode/utf16"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// noMask keeps characters of a class as they are.
const noMask rune = -1

type masker struct{ upper, lower, digit, other rune }

var defaultMasker = masker{upper: 'X', lower: 'x', digit: 'n', other: '-'}

func (m masker) mask(u []uint16) []uint16 {
	var out []uint16
	for i, c := range u {
		r := rune(c)
		if utf16.IsSurrogate(r) && i+1 < len(u) {
			if pair := utf16.DecodeRune(r, rune(u[i+1])); pair != unicode.ReplacementChar {
				r = pair
			}
		}
		by := m.other
		switch {
		case unicode.Is(unicode.Lu, r):
			by = m.upper
		case unicode.Is(unicode.Ll, r):
			by = m.lower
		case unicode.Is(unicode.Nd, r):
			by = m.digit
		}
		if by == noMask {
			out = append(out, c)
			continue
		}
		out = append(out, uint16(by))
	}
	return out
}

// maskerOf makes a masker of the arguments for upper-case letters, lower-case
// letters, digits and other characters; NULL keeps the characters.
func maskerOf(args []types.Value) (masker, error) {
	var chars [4]rune
	for i, a := range args {
		if a.IsNull() {
			chars[i] = noMask
			continue
		}
		u := units(a.Str())
		if len(u) != 1 {
			return masker{}, fmt.Errorf("Invalid mask character. Must be only single character, but was '%s'", a.Str())
		}
		chars[i] = rune(u[0])
	}
	return masker{chars[0], chars[1], chars[2], chars[3]}, nil
}

func maskFunctions() []scalarDef {
	const classes = ", VARCHAR upper, VARCHAR lower, VARCHAR digit, VARCHAR other"
	list := []scalarDef{{"mask", CategoryString, "A text with every character replaced by a mask for its class.", []overloadDef{
		{params: "VARCHAR input", result: "VARCHAR", impl: f1(func(v types.Value) (types.Value, error) {
			return text(fromUnits(defaultMasker.mask(units(v.Str()))))
		})},
		{params: "VARCHAR input" + classes, result: "VARCHAR", nulls: true, impl: Impl{FN: func(args []types.Value) (types.Value, error) {
			m, err := maskerOf(args[1:])
			if err != nil || args[0].IsNull() {
				return types.Null, err
			}
			return text(fromUnits(m.mask(units(args[0].Str()))))
		}}},
	}}}
	// span gives the masked part for a text of n units and a count.
	partial := func(name, description string, span func(n, count int) (from, to int)) {
		apply := func(m masker, s, count types.Value) (types.Value, error) {
			if count.IsNull() {
				return types.Null, nil
			}
			if count.Int() < 0 {
				return types.Null, fmt.Errorf("function %s requires a non-negative number of characters to mask or skip", name)
			}
			if s.IsNull() {
				return types.Null, nil
			}
			u := units(s.Str())
			from, to := span(len(u), int(min(count.Int(), int64(len(u)))))
			out := append(append([]uint16{}, u[:from]...), m.mask(u[from:to])...)
			return text(fromUnits(append(out, u[to:]...)))
		}
		list = append(list, scalarDef{name, CategoryString, description, []overloadDef{
			{params: "VARCHAR input, INT numChars", result: "VARCHAR", nulls: true, impl: f2(func(s, count types.Value) (types.Value, error) {
				return apply(defaultMasker, s, count)
			})},
			{params: "VARCHAR input, INT numChars" + classes, result: "VARCHAR", nulls: true, impl: Impl{FN: func(args []types.Value) (types.Value, error) {
				m, err := maskerOf(args[2:])
				if err != nil {
					return types.Null, err
				}
				return apply(m, args[0], args[1])
			}}},
		}})
	}
	partial("mask_left", "A text with the first characters masked.", func(_, count int) (int, int) { return 0, count })
	partial("mask_right", "A text with the last characters masked.", func(n, count int) (int, int) { return n - count, n })
	partial("mask_keep_left", "A text with all but the first characters masked.", func(n, count int) (int, int) { return count, n })
	partial("mask_keep_right", "A text with all but the last characters masked.", func(n, count int) (int, int) { return 0, n - count })
	return list
}

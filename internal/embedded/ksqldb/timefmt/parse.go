package timefmt

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// fields are what was read from a text.
type fields struct {
	values [fieldCount]int64
	has    [fieldCount]bool
	zone   *time.Location
}

func (f *fields) set(at field, v int64) {
	f.values[at], f.has[at] = v, true
}

// get is a field's value, or the one given when it was not read.
func (f *fields) get(at field, otherwise int64) int64 {
	if f.has[at] {
		return f.values[at]
	}
	return otherwise
}

func (p *Pattern) parse(text string) (*fields, error) {
	f := &fields{}
	rest, ok := parseItems(p.items, text, f)
	if !ok || rest != "" {
		return nil, fmt.Errorf("Text '%s' could not be parsed at index %d", text, len(text)-len(rest))
	}
	return f, nil
}

func parseItems(items []item, text string, f *fields) (rest string, ok bool) {
	for i := range items {
		it := &items[i]
		if it.kind == kindOptional {
			before := *f
			if after, ok := parseItems(it.nested, text, f); ok {
				text = after
			} else {
				*f = before
			}
			continue
		}
		after, ok := parseItem(it, text, f)
		if !ok {
			return text, false
		}
		text = after
	}
	return text, true
}

func parseItem(it *item, text string, f *fields) (rest string, ok bool) {
	switch it.kind {
	case kindLiteral:
		if len(text) < len(it.literal) || !strings.EqualFold(text[:len(it.literal)], it.literal) {
			return text, false
		}
		return text[len(it.literal):], true
	case kindNumber:
		return parseNumber(it, text, f)
	case kindReduced:
		v, rest, ok := digits(text, 2, 2)
		if !ok {
			return text, false
		}
		f.set(it.field, 2000+v)
		return rest, true
	case kindFraction:
		return parseFraction(it, text, f)
	case kindText:
		return parseName(it, text, f)
	default:
		return parseZone(it, text, f)
	}
}

func digits(text string, least, most int) (v int64, rest string, ok bool) {
	n := 0
	for n < len(text) && n < most && text[n] >= '0' && text[n] <= '9' {
		v = v*10 + int64(text[n]-'0')
		n++
	}
	return v, text[n:], n >= least && n <= 18
}

func parseNumber(it *item, text string, f *fields) (rest string, ok bool) {
	negative := false
	signed := text != "" && (text[0] == '-' || text[0] == '+')
	if signed {
		if it.sign == signNotNegative || text[0] == '+' && it.sign == signNormal {
			return text, false
		}
		negative = text[0] == '-'
		text = text[1:]
	}
	most := it.max
	if it.reserved > 0 {
		count := 0
		for count < len(text) && text[count] >= '0' && text[count] <= '9' {
			count++
		}
		most = min(most, max(count-it.reserved, it.min))
	}
	v, rest, ok := digits(text, it.min, most)
	if !ok {
		return text, false
	}
	width := len(text) - len(rest)
	if it.sign == signExceedsPad && !negative && signed != (width > it.min) {
		return text, false
	}
	if negative {
		v = -v
	}
	f.set(it.field, v)
	return rest, true
}

func parseFraction(it *item, text string, f *fields) (rest string, ok bool) {
	v, rest, ok := digits(text, it.min, it.max)
	if !ok || it.max > 9 {
		return text, false
	}
	for range 9 - it.min {
		v *= 10
	}
	f.set(fieldNano, v)
	return rest, true
}

func parseName(it *item, text string, f *fields) (rest string, ok bool) {
	first, last := int64(0), int64(1)
	switch it.field {
	case fieldMonth:
		first, last = 1, 12
	case fieldWeekday:
		last = 6
	case fieldQuarter:
		first, last = 1, 4
	}
	for v := first; v <= last; v++ {
		n := name(it.field, v, it.style)
		if len(text) >= len(n) && strings.EqualFold(text[:len(n)], n) {
			f.set(it.field, v)
			return text[len(n):], true
		}
	}
	return text, false
}

func parseZone(it *item, text string, f *fields) (rest string, ok bool) {
	switch it.kind {
	case kindOffset:
		return parseOffset(it, text, f)
	case kindGMTOffset:
		rest, ok := strings.CutPrefix(text, "GMT")
		if !ok {
			return text, false
		}
		f.zone = time.UTC
		if rest == "" || rest[0] != '+' && rest[0] != '-' {
			return rest, true
		}
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("/_+-:", r)
	})
	if end < 0 {
		end = len(text)
	}
	id := text[:end]
	if region, ok := abbreviations[strings.ToUpper(id)]; ok && it.kind == kindZoneText {
		id = region
	}
	zone, err := types.ParseZone(id)
	if err != nil {
		return text, false
	}
	f.zone = zone
	return text[end:], true
}

// abbreviations are the zones that Java takes the short names for.
var abbreviations = map[string]string{
	"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "MST": "America/Denver", "MDT": "America/Denver",
	"CST": "America/Chicago", "CDT": "America/Chicago", "EST": "America/New_York", "EDT": "America/New_York",
	"AKST": "America/Anchorage", "AKDT": "America/Anchorage", "HST": "Pacific/Honolulu", "BST": "Europe/London",
	"WET": "Europe/Lisbon", "WEST": "Europe/Lisbon", "CET": "Europe/Paris", "CEST": "Europe/Paris", "EET": "Europe/Bucharest",
	"EEST": "Europe/Bucharest", "MSK": "Europe/Moscow", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "KST": "Asia/Seoul",
	"AEST": "Australia/Sydney", "AEDT": "Australia/Sydney", "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland",
}

// parseOffset reads an offset in exactly the style of the pattern.
func parseOffset(it *item, text string, f *fields) (rest string, ok bool) {
	if n := len(it.literal); len(text) >= n && strings.EqualFold(text[:n], it.literal) {
		f.zone = time.UTC
		return text[n:], true
	}
	if text == "" || text[0] != '+' && text[0] != '-' {
		return text, false
	}
	colon := it.style == 3 || it.style == 5
	hours, rest, ok := digits(text[1:], 2, 2)
	if !ok || hours > 18 {
		return text, false
	}
	seconds := hours * 3600
	for i, unit := range []int64{60, 1} {
		part := rest
		if colon {
			part, ok = strings.CutPrefix(rest, ":")
		}
		v, after, digitsOK := digits(part, 2, 2)
		if !ok || !digitsOK || v > 59 || i == 1 && it.style < 4 {
			if i == 0 && it.style > 1 {
				return text, false
			}
			break
		}
		seconds, rest = seconds+v*unit, after
	}
	if text[0] == '-' {
		seconds = -seconds
	}
	f.zone = time.FixedZone("", int(seconds))
	return rest, true
}

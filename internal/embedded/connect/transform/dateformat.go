package transform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
)

// dateFormat is a pattern of Java's SimpleDateFormat in UTC, with English names.
type dateFormat struct {
	pattern string
	parts   []datePart
	// century is the first year that two digits can mean.
	century int
}

// datePart is a field of a pattern, or text when letter is 0.
type datePart struct {
	letter byte
	count  int
	text   string
}

// dateLetters are the fields that there are.
const dateLetters = "GyMwWDdFEaHkKhmsSzZYuXL"

// compileDateFormat reads a pattern. The error is in Java's words.
func compileDateFormat(pattern string) (*dateFormat, error) {
	f := &dateFormat{pattern: pattern, century: time.Now().Year() - 80}
	literal := func(text string) {
		if n := len(f.parts); n > 0 && f.parts[n-1].letter == 0 {
			f.parts[n-1].text += text
			return
		}
		f.parts = append(f.parts, datePart{text: text})
	}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, size, err := quotedText(pattern[i:])
			if err != nil {
				return nil, err
			}
			literal(text)
			i += size
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			if strings.IndexByte(dateLetters, c) < 0 {
				return nil, config.Errorf("Illegal pattern character '%c'", c)
			}
			j := i
			for j < len(pattern) && pattern[j] == c {
				j++
			}
			if c == 'X' && j-i > 3 {
				return nil, fmt.Errorf("invalid ISO 8601 format: length=%d", j-i)
			}
			f.parts = append(f.parts, datePart{letter: c, count: j - i})
			i = j
		default:
			literal(string(c))
			i++
		}
	}
	return f, nil
}

// quotedText reads text between quotes, in which two quotes are one.
func quotedText(pattern string) (text string, size int, err error) {
	if strings.HasPrefix(pattern, "''") {
		return "'", 2, nil
	}
	for i := 1; i < len(pattern); i++ {
		if pattern[i] != '\'' {
			text += string(pattern[i])
			continue
		}
		if i+1 == len(pattern) || pattern[i+1] != '\'' {
			return text, i + 1, nil
		}
		text += "'"
		i++
	}
	return "", 0, config.Errorf("Unterminated quote")
}

// format writes a point in time.
func (f *dateFormat) format(at time.Time) string {
	at = at.UTC()
	var b strings.Builder
	for _, p := range f.parts {
		b.WriteString(p.format(at))
	}
	return b.String()
}

func padded(n, least int) string {
	text := strconv.Itoa(n)
	if missing := least - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	return text
}

func (p datePart) format(at time.Time) string {
	switch p.letter {
	case 0:
		return p.text
	case 'G':
		if at.Year() <= 0 {
			return "BC"
		}
		return "AD"
	case 'y':
		return p.year(at.Year())
	case 'Y':
		year, _ := weekOf(at)
		return p.year(year)
	case 'M', 'L':
		switch {
		case p.count >= 4:
			return at.Month().String()
		case p.count == 3:
			return at.Month().String()[:3]
		}
	case 'E':
		if p.count >= 4 {
			return at.Weekday().String()
		}
		return at.Weekday().String()[:3]
	case 'a':
		if at.Hour() >= 12 {
			return "PM"
		}
		return "AM"
	case 'z':
		if p.count >= 4 {
			return "Coordinated Universal Time"
		}
		return "UTC"
	case 'Z':
		return "+0000"
	case 'X':
		return "Z"
	}
	return padded(p.number(at), p.count)
}

func (p datePart) year(year int) string {
	if year <= 0 {
		year = 1 - year // before Christ
	}
	if p.count == 2 {
		return padded(year%100, 2)
	}
	return padded(year, p.count)
}

// number is the value of a field that is a number.
func (p datePart) number(at time.Time) int {
	switch p.letter {
	case 'M', 'L':
		return int(at.Month())
	case 'w':
		_, week := weekOf(at)
		return week
	case 'W':
		first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		return (at.Day()-1+int(first.Weekday()))/7 + 1
	case 'D':
		return at.YearDay()
	case 'd':
		return at.Day()
	case 'F':
		return (at.Day()-1)/7 + 1
	case 'u':
		return (int(at.Weekday())+6)%7 + 1
	case 'H':
		return at.Hour()
	case 'k':
		return (at.Hour()+23)%24 + 1
	case 'K':
		return at.Hour() % 12
	case 'h':
		return (at.Hour()+11)%12 + 1
	case 'm':
		return at.Minute()
	case 's':
		return at.Second()
	default:
		return at.Nanosecond() / int(time.Millisecond)
	}
}

// weekOf gives the week of a day and its year: weeks begin on Sunday, and the one
// with the first of January is the first.
func weekOf(at time.Time) (year, week int) {
	year = at.Year()
	next := time.Date(year+1, time.January, 1, 0, 0, 0, 0, time.UTC)
	if !at.Before(next.AddDate(0, 0, -int(next.Weekday()))) {
		return year + 1, 1
	}
	first := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
	return year, (at.YearDay()-1+int(first.Weekday()))/7 + 1
}

// errUnparseable is a text that does not have a pattern's form.
var errUnparseable = errors.New("the text does not match the pattern")

// dateFields are the numbers that a text has, as it says them.
type dateFields struct {
	year, month, day, yearDay, hour, minute, second, milli int
	pm, twelve, hasYearDay                                 bool
	offset                                                 time.Duration
}

// parse reads the beginning of a text. As Java does, it takes numbers that are
// beyond their range and goes on counting.
func (f *dateFormat) parse(text string) (time.Time, error) {
	fields := dateFields{year: 1970, month: 1, day: 1}
	rest := text
	for i, p := range f.parts {
		if p.letter == 0 {
			after, ok := strings.CutPrefix(rest, p.text)
			if !ok {
				return time.Time{}, errUnparseable
			}
			rest = after
			continue
		}
		var ok bool
		if rest, ok = f.parseField(p, strings.TrimLeft(rest, " \t"), i+1 < len(f.parts) && f.parts[i+1].numeric(), &fields); !ok {
			return time.Time{}, errUnparseable
		}
	}
	if fields.twelve {
		if fields.hour %= 12; fields.pm {
			fields.hour += 12
		}
	}
	if fields.hasYearDay {
		fields.month, fields.day = 1, fields.yearDay
	}
	at := time.Date(fields.year, time.Month(fields.month), fields.day, fields.hour, fields.minute, fields.second, fields.milli*int(time.Millisecond), time.UTC)
	return at.Add(-fields.offset), nil
}

// numeric reports whether a field's text is a number, whose digits can't be told
// from those of a number before it.
func (p datePart) numeric() bool {
	switch p.letter {
	case 'M', 'L':
		return p.count <= 2
	default:
		return p.letter != 0 && strings.IndexByte("yYdkHmsSDFwWhKu", p.letter) >= 0
	}
}

// parseField reads a field from the beginning of a text. When a number follows at
// once it takes as many digits as the pattern has letters.
func (f *dateFormat) parseField(p datePart, text string, abuts bool, into *dateFields) (rest string, ok bool) {
	switch p.letter {
	case 'E':
		for day := time.Sunday; day <= time.Saturday; day++ {
			if rest, ok := cutName(text, day.String()); ok {
				return rest, true
			}
		}
		return "", false
	case 'a':
		rest, into.pm = cutFold(text, "PM")
		if into.pm {
			return rest, true
		}
		return cutFold(text, "AM")
	case 'G':
		if rest, ok := cutFold(text, "AD"); ok {
			return rest, true
		}
		return "", false
	case 'z', 'Z', 'X':
		return cutZone(text, &into.offset)
	case 'M', 'L':
		if p.count >= 3 {
			for month := time.January; month <= time.December; month++ {
				if rest, ok := cutName(text, month.String()); ok {
					into.month = int(month)
					return rest, true
				}
			}
			return "", false
		}
	case 'w', 'W', 'F', 'Y':
		return "", false // weeks can be written only
	}
	n, rest, ok := cutNumber(text, p.count, abuts)
	if !ok {
		return "", false
	}
	switch p.letter {
	case 'y':
		if p.count <= 2 && len(text)-len(rest) == 2 && n >= 0 {
			n += f.century / 100 * 100
			if n < f.century {
				n += 100
			}
		}
		into.year = n
	case 'M', 'L':
		into.month = n
	case 'd':
		into.day = n
	case 'D':
		into.yearDay, into.hasYearDay = n, true
	case 'H':
		into.hour = n
	case 'k':
		into.hour = n % 24
	case 'K', 'h':
		into.hour, into.twelve = n, true
	case 'm':
		into.minute = n
	case 's':
		into.second = n
	case 'S':
		into.milli = n
	}
	return rest, true
}

// cutFold cuts a name off, in any case.
func cutFold(text, name string) (string, bool) {
	if len(text) >= len(name) && strings.EqualFold(text[:len(name)], name) {
		return text[len(name):], true
	}
	return "", false
}

// cutName cuts a name or its first three letters off.
func cutName(text, name string) (string, bool) {
	if rest, ok := cutFold(text, name); ok {
		return rest, true
	}
	return cutFold(text, name[:3])
}

// cutNumber cuts a whole number off.
func cutNumber(text string, count int, abuts bool) (n int, rest string, ok bool) {
	end := 0
	if strings.HasPrefix(text, "-") {
		end++
	}
	for end < len(text) && text[end] >= '0' && text[end] <= '9' && (!abuts || end < count) {
		end++
	}
	if abuts && end < count && len(text) < count {
		return 0, "", false
	}
	n, err := strconv.Atoi(text[:end])
	return n, text[end:], err == nil
}

// cutZone cuts a time zone off: Z, UTC or GMT, or hours and minutes.
func cutZone(text string, offset *time.Duration) (string, bool) {
	for _, name := range []string{"UTC", "GMT", "Z"} {
		if rest, ok := cutFold(text, name); ok {
			if rest == "" || rest[0] != '+' && rest[0] != '-' {
				return rest, true
			}
			text = rest
			break
		}
	}
	if text == "" || text[0] != '+' && text[0] != '-' {
		return "", false
	}
	digits, end := "", 1
	for end < len(text) && len(digits) < 4 && (text[end] >= '0' && text[end] <= '9' || text[end] == ':' && len(digits) == 2) {
		if text[end] != ':' {
			digits += string(text[end])
		}
		end++
	}
	if len(digits) != 2 && len(digits) != 4 {
		return "", false
	}
	hours, _ := strconv.Atoi(digits[:2])         // digits
	minutes, _ := strconv.Atoi("0" + digits[2:]) // digits
	*offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		*offset = -*offset
	}
	return text[end:], true
}

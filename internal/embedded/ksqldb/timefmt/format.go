package timefmt

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parts says which fields a time has; others can't be formatted.
type Parts uint8

// The parts of a time.
const (
	Date Parts = 1 << iota
	Clock
	Zone
)

// Format writes the parts of a time. A pattern that asks for another part is an
// error.
func (p *Pattern) Format(t time.Time, parts Parts) (string, error) {
	var b strings.Builder
	if err := format(&b, p.items, t, parts); err != nil {
		return "", fmt.Errorf("formatting with %q: %w", p.text, err)
	}
	return b.String(), nil
}

func format(b *strings.Builder, items []item, t time.Time, parts Parts) error {
	for i := range items {
		it := &items[i]
		switch it.kind {
		case kindLiteral:
			b.WriteString(it.literal)
		case kindOptional:
			var nested strings.Builder
			if format(&nested, it.nested, t, parts) == nil {
				b.WriteString(nested.String())
			}
		case kindOffset, kindGMTOffset, kindZoneID, kindZoneText:
			if parts&Zone == 0 {
				return fmt.Errorf("the value has no time zone")
			}
			b.WriteString(formatZone(it, t))
		default:
			v, err := value(it.field, t, parts)
			if err != nil {
				return err
			}
			if err := formatValue(b, it, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// value reads a field of a time.
func value(f field, t time.Time, parts Parts) (int64, error) {
	if need := partOf(f); parts&need == 0 {
		return 0, fmt.Errorf("Unsupported field: the value has no %s", map[Parts]string{Date: "date", Clock: "time of day"}[need])
	}
	year := t.Year()
	switch f {
	case fieldEra:
		if year > 0 {
			return 1, nil
		}
		return 0, nil
	case fieldYear:
		return int64(year), nil
	case fieldYearOfEra:
		if year > 0 {
			return int64(year), nil
		}
		return int64(1 - year), nil
	case fieldWeekYear, fieldWeek:
		weekYear, week := weekOf(t)
		if f == fieldWeek {
			return int64(week), nil
		}
		return int64(weekYear), nil
	case fieldQuarter:
		return int64(t.Month()-1)/3 + 1, nil
	case fieldMonth:
		return int64(t.Month()), nil
	case fieldWeekOfMonth:
		first := int(t.AddDate(0, 0, 1-t.Day()).Weekday())
		return int64(t.Day()+first-1)/7 + 1, nil
	case fieldDayOfYear:
		return int64(t.YearDay()), nil
	case fieldDay:
		return int64(t.Day()), nil
	case fieldWeekday:
		return int64(t.Weekday()), nil
	case fieldLocalWeekday:
		return int64(t.Weekday()) + 1, nil
	case fieldAlignedWeek:
		return int64(t.Day()-1)/7 + 1, nil
	default:
		return clockValue(f, t), nil
	}
}

func partOf(f field) Parts {
	if f >= fieldAmPm {
		return Clock
	}
	return Date
}

func clockValue(f field, t time.Time) int64 {
	hour := int64(t.Hour())
	nanoOfDay := (hour*3600+int64(t.Minute())*60+int64(t.Second()))*1e9 + int64(t.Nanosecond())
	switch f {
	case fieldAmPm:
		return hour / 12
	case fieldHour:
		return hour
	case fieldClockHour:
		return (hour+23)%24 + 1
	case fieldHourOfAmPm:
		return hour % 12
	case fieldClockHourOfAmPm:
		return (hour+11)%12 + 1
	case fieldMinute:
		return int64(t.Minute())
	case fieldSecond:
		return int64(t.Second())
	case fieldNano:
		return int64(t.Nanosecond())
	case fieldMilliOfDay:
		return nanoOfDay / 1e6
	default:
		return nanoOfDay
	}
}

// weekOf is the year and week of a date, weeks beginning on Sunday and the week
// of 1 January being the first of its year.
func weekOf(t time.Time) (year, week int) {
	start := t.YearDay() - 1 - int(t.Weekday())
	year = t.Year()
	days := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if start+7 > days {
		return year + 1, 1
	}
	firstWeekday := ((int(t.Weekday())-(t.YearDay()-1))%7 + 7) % 7
	return year, (t.YearDay()-1+firstWeekday)/7 + 1
}

func formatValue(b *strings.Builder, it *item, v int64) error {
	switch it.kind {
	case kindText:
		b.WriteString(name(it.field, v, it.style))
		return nil
	case kindFraction:
		digits := fmt.Sprintf("%09d", v)
		if it.min > 9 {
			return fmt.Errorf("a fraction has at most 9 digits")
		}
		b.WriteString(digits[:it.min])
		return nil
	case kindReduced:
		fmt.Fprintf(b, "%02d", ((v%100)+100)%100)
		return nil
	}
	negative := v < 0
	digits := strconv.FormatInt(max(v, -v), 10)
	if len(digits) > it.max {
		return fmt.Errorf("Field cannot be printed as the value %d exceeds the maximum print width of %d", v, it.max)
	}
	switch {
	case negative:
		b.WriteByte('-')
	case it.sign == signExceedsPad && len(digits) > it.min:
		b.WriteByte('+')
	}
	for range it.min - len(digits) {
		b.WriteByte('0')
	}
	b.WriteString(digits)
	return nil
}

// name is a field as text: styles 3 short, 4 full, 5 one letter.
func name(f field, v int64, style int) string {
	var full string
	switch f {
	case fieldMonth:
		full = time.Month(v).String()
	case fieldWeekday:
		full = time.Weekday(v).String()
	case fieldAmPm:
		return []string{"AM", "PM"}[v]
	case fieldEra:
		return map[int][]string{3: {"BC", "AD"}, 4: {"Before Christ", "Anno Domini"}, 5: {"B", "A"}}[style][v]
	case fieldQuarter:
		switch style {
		case 3:
			return "Q" + strconv.FormatInt(v, 10)
		case 4:
			return []string{"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"}[v-1]
		default:
			return strconv.FormatInt(v, 10)
		}
	}
	switch style {
	case 3:
		return full[:3]
	case 5:
		return full[:1]
	default:
		return full
	}
}

func formatZone(it *item, t time.Time) string {
	abbreviation, offset := t.Zone()
	switch it.kind {
	case kindOffset:
		return formatOffset(it, offset)
	case kindGMTOffset:
		if offset == 0 {
			return "GMT"
		}
		text := sign(offset)
		h, m, s := split(offset)
		if it.style == 4 {
			text += fmt.Sprintf("%02d:%02d", h, m)
		} else {
			text += strconv.Itoa(h)
			if m != 0 {
				text += fmt.Sprintf(":%02d", m)
			}
		}
		if s != 0 {
			text += fmt.Sprintf(":%02d", s)
		}
		return "GMT" + text
	case kindZoneID:
		if t.Location() == time.UTC {
			return "UTC"
		}
		return t.Location().String()
	default:
		return abbreviation
	}
}

func sign(offset int) string {
	if offset < 0 {
		return "-"
	}
	return "+"
}

func split(offset int) (h, m, s int) {
	offset = max(offset, -offset)
	return offset / 3600, offset / 60 % 60, offset % 60
}

// formatOffset writes an offset in the styles of X: hours and, unless 0,
// minutes; +HHMM; +HH:MM; +HHMMss; +HH:MM:ss.
func formatOffset(it *item, offset int) string {
	if offset == 0 {
		return it.literal
	}
	h, m, s := split(offset)
	text := sign(offset) + fmt.Sprintf("%02d", h)
	colon := ""
	if it.style == 3 || it.style == 5 {
		colon = ":"
	}
	if it.style > 1 || m != 0 {
		text += colon + fmt.Sprintf("%02d", m)
	}
	if it.style > 3 && s != 0 {
		text += colon + fmt.Sprintf("%02d", s)
	}
	return text
}

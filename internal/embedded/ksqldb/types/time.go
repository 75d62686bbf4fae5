package types

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known on machines without a zone database
)

const millisPerDay = 24 * 60 * 60 * 1000

// FormatTimestamp writes a TIMESTAMP (epoch milliseconds) in UTC as
// 2020-05-26T23:59:58.000.
func FormatTimestamp(millis int64) string {
	return string(AppendTimestamp(nil, millis))
}

// AppendTimestamp appends a TIMESTAMP in the form of FormatTimestamp.
func AppendTimestamp(dst []byte, millis int64) []byte {
	t := time.UnixMilli(millis).UTC()
	dst = appendYear(dst, t.Year())
	return t.AppendFormat(dst, "-01-02T15:04:05.000")
}

// FormatDate writes a DATE (days since 1970-01-01) as 2020-05-26.
func FormatDate(days int64) string {
	t := time.Unix(days*86400, 0).UTC()
	return string(t.AppendFormat(appendYear(nil, t.Year()), "-01-02"))
}

// appendYear writes a year with four digits at least and a plus sign beyond
// 9999, as Java does.
func appendYear(dst []byte, year int) []byte {
	if year > 9999 {
		dst = append(dst, '+')
	}
	if year < 0 {
		dst, year = append(dst, '-'), -year
	}
	return fmt.Appendf(dst, "%04d", year)
}

// FormatTime writes a TIME (milliseconds of the day) as 05:06:07, without the
// seconds where they are 0; milliseconds are left out.
func FormatTime(millis int64) string {
	s := millis / 1000
	text := fmt.Sprintf("%02d:%02d", s/3600, s/60%60)
	if s%60 != 0 {
		text += fmt.Sprintf(":%02d", s%60)
	}
	return text
}

// TimestampToDate is the UTC day of a TIMESTAMP.
func TimestampToDate(millis int64) int64 { return floorDiv(millis, millisPerDay) }

// TimestampToTime is the UTC time of day of a TIMESTAMP.
func TimestampToTime(millis int64) int64 { return millis - floorDiv(millis, millisPerDay)*millisPerDay }

// DateToTimestamp is the first millisecond of a day in UTC.
func DateToTimestamp(days int64) int64 { return days * millisPerDay }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ParseTimestamp reads a TIMESTAMP as ksqlDB accepts it in comparisons, casts
// and INSERT: yyyy-MM-dd, optionally followed by T, the time and a zone (Z,
// +0200, +02:00 or a region's name); what is missing at the end of date and
// time is filled with the smallest value. No zone is UTC.
func ParseTimestamp(text string) (int64, error) {
	millis, err := parseTimestamp(text)
	if err != nil {
		return 0, fmt.Errorf("Failed to parse timestamp '%s': %w\n"+
			"Required format is: \"yyyy-MM-dd'T'HH:mm:ss.SSS\", with an optional numeric 4-digit timezone, for example: "+
			"'2020-05-26T23:59:58.000' or with tz: '2020-05-26T23:59:58.000+0200'. "+
			"A trailing 'Z' instead of tz indicates the zero UTC offset. "+
			"Partials are also supported, for example \"2020-05-26\"", text, err)
	}
	return millis, nil
}

const (
	datePattern = "0000-00-00"
	timePattern = "00:00:00.000"
)

// notParsed says where a text leaves a pattern, in which zeros stand for digits,
// as Java does: numbers that are incomplete are told by their begin.
func notParsed(text, pattern string) error {
	number := 0
	for i := range len(pattern) {
		digit := pattern[i] == '0'
		if !digit || i == 0 || pattern[i-1] != '0' {
			number = i
		}
		switch {
		case i >= len(text), digit && (text[i] < '0' || text[i] > '9'), !digit && text[i] != pattern[i]:
			return fmt.Errorf("Text '%s' could not be parsed at index %d", text, number)
		}
	}
	if len(text) > len(pattern) {
		return fmt.Errorf("Text '%s' could not be parsed, unparsed text found at index %d", text, len(pattern))
	}
	return fmt.Errorf("Text '%s' could not be parsed", text)
}

func parseTimestamp(text string) (int64, error) {
	date, clock, hasTime := strings.Cut(text, "T")
	if !hasTime {
		date = completeDate(text)
	}
	loc := time.UTC
	if i := strings.IndexAny(clock, "+-"); i >= 0 {
		if plus := strings.IndexByte(clock, '+'); plus >= 0 {
			i = plus
		}
		var err error
		if loc, err = ParseZone(clock[i:]); err != nil {
			return 0, fmt.Errorf("Failed to parse timezone '%s': %w", clock[i:], err)
		}
		clock = clock[:i]
	}
	clock = strings.TrimSuffix(clock, "Z")
	if len(clock) < len(timePattern) {
		clock += timePattern[len(clock):]
	}
	if len(clock) != len(timePattern) {
		return 0, notParsed(date+"T"+clock, datePattern+"T"+timePattern)
	}
	// Java reads the end of a day as the begin of the next.
	days := 0
	if clock == "24"+timePattern[2:] {
		clock, days = timePattern, 1
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05.000", date+"T"+clock, loc)
	if err != nil {
		return 0, notParsed(date+"T"+clock, datePattern+"T"+timePattern)
	}
	return t.AddDate(0, 0, days).UnixMilli(), nil
}

func completeDate(text string) string {
	switch strings.Count(strings.TrimRight(text, "-"), "-") {
	case 0:
		return text + "-01-01"
	case 1:
		return text + "-01"
	default:
		return text
	}
}

// ParseDate reads a DATE: yyyy-MM-dd, yyyy-MM or yyyy.
func ParseDate(text string) (int64, error) {
	t, err := time.Parse("2006-01-02", completeDate(text))
	if err != nil {
		return 0, fmt.Errorf("Failed to parse date '%s': %w\n"+
			"Required format is: \"yyyy-MM-dd\", for example '2020-05-26'. "+
			"Partials are also supported, for example '2020-05'", text, notParsed(completeDate(text), datePattern))
	}
	return t.Unix() / 86400, nil
}

// ParseTime reads a TIME: HH:mm, HH:mm:ss or HH:mm:ss with a fraction, in
// milliseconds of the day.
func ParseTime(text string) (int64, error) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && len(text) >= 5 && text[2] == ':' {
			return int64(t.Hour())*3_600_000 + int64(t.Minute())*60_000 + int64(t.Second())*1000 +
				int64(t.Nanosecond())/1_000_000, nil
		}
	}
	return 0, fmt.Errorf("Failed to parse time '%s': Text '%s' could not be parsed\n"+
		"Required format is: \"HH:mm:ss.SSS\", for example: '01:34:20.123' or '01:34:20'. "+
		"Partials are also supported, for example '01:34'", text, text)
}

// ParseZone reads a time zone as Java's ZoneId does: Z, an offset such as +2,
// +0200, +02:00 or -02:00:30, optionally after UTC, GMT or UT, or a region such
// as Europe/Prague.
func ParseZone(text string) (*time.Location, error) {
	if text == "Z" {
		return time.UTC, nil
	}
	offset := text
	for _, prefix := range []string{"UTC", "GMT", "UT"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			if rest == "" && prefix == "UTC" {
				return time.UTC, nil
			}
			if rest == "" {
				return time.FixedZone(prefix, 0), nil
			}
			if rest[0] == '+' || rest[0] == '-' {
				offset = rest
			}
			break
		}
	}
	if offset != "" && (offset[0] == '+' || offset[0] == '-') {
		seconds, ok := parseOffset(offset)
		if !ok {
			return nil, fmt.Errorf("Invalid ID for ZoneOffset, invalid format: %s", text)
		}
		return time.FixedZone(offsetName(seconds), seconds), nil
	}
	if text == "" || text == "Local" {
		return nil, fmt.Errorf("Unknown time-zone ID: %s", text)
	}
	loc, err := time.LoadLocation(text)
	if err != nil {
		return nil, fmt.Errorf("Unknown time-zone ID: %s", text)
	}
	return loc, nil
}

// offsetName is the normal form of an offset: +05:30.
func offsetName(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	name := fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		name += fmt.Sprintf(":%02d", seconds%60)
	}
	return name
}

func parseOffset(text string) (int, bool) {
	digits := text[1:]
	if strings.Contains(digits, ":") {
		if parts := strings.Split(digits, ":"); len(parts) <= 3 {
			for _, p := range parts {
				if len(p) != 2 {
					return 0, false
				}
			}
		}
		digits = strings.ReplaceAll(digits, ":", "")
	}
	if len(digits) == 1 {
		digits = "0" + digits
	}
	if len(digits) != 2 && len(digits) != 4 && len(digits) != 6 {
		return 0, false
	}
	var parts [3]int
	for i := 0; i*2 < len(digits); i++ {
		n, err := strconv.Atoi(digits[i*2 : i*2+2])
		if err != nil || i > 0 && n > 59 {
			return 0, false
		}
		parts[i] = n
	}
	seconds := parts[0]*3600 + parts[1]*60 + parts[2]
	if seconds > 18*3600 {
		return 0, false
	}
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

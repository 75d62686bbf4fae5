package search

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// defaultDateFormat is that of a date field without a format.
const defaultDateFormat = "strict_date_optional_time||epoch_millis"

// unit is a calendar unit, from the coarsest to the finest.
type unit int

const (
	unitYear unit = iota
	unitMonth
	unitDay
	unitHour
	unitMinute
	unitSecond
	unitMillisecond
)

// dateFormat reads and writes dates. The first pattern writes.
type dateFormat struct {
	name     string
	patterns []string
}

// namedDateFormats are the built-in names that are supported, as patterns.
var namedDateFormats = map[string]string{
	"date":                       "yyyy-MM-dd",
	"strict_date":                "yyyy-MM-dd",
	"date_time":                  "yyyy-MM-dd'T'HH:mm:ss.SSSXX",
	"strict_date_time":           "yyyy-MM-dd'T'HH:mm:ss.SSSXX",
	"date_time_no_millis":        "yyyy-MM-dd'T'HH:mm:ssXX",
	"strict_date_time_no_millis": "yyyy-MM-dd'T'HH:mm:ssXX",
	"basic_date":                 "yyyyMMdd",
	"date_hour_minute_second":    "yyyy-MM-dd'T'HH:mm:ss",
	"year_month":                 "yyyy-MM",
	"strict_year_month":          "yyyy-MM",
	"year":                       "yyyy",
	"strict_year":                "yyyy",
}

func newDateFormat(name string) (*dateFormat, *apiError) {
	f := &dateFormat{name: name}
	for part := range strings.SplitSeq(name, "||") {
		switch part {
		case "strict_date_optional_time", "date_optional_time", "epoch_millis", "epoch_second", "strict_date_optional_time_nanos":
			f.patterns = append(f.patterns, part)
			continue
		}
		pattern, ok := namedDateFormats[part]
		if !ok {
			pattern = part
			if part == "" || strings.Trim(part, "yuMdEHhmsSaZXz '/.:,-T_\"") != "" || !strings.ContainsAny(part, "yuMdHhmsS") {
				return nil, illegalArgument("Invalid format: [%s]: Unknown pattern letter: %s", name, firstUnknown(part))
			}
		}
		f.patterns = append(f.patterns, pattern)
	}
	return f, nil
}

func firstUnknown(pattern string) string {
	for _, r := range pattern {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			if !strings.ContainsRune("yuMdEHhmsSaZXz", r) {
				return string(r)
			}
		}
	}
	return pattern
}

func mustDateFormat(name string) *dateFormat {
	f, err := newDateFormat(name)
	if err != nil {
		return &dateFormat{name: name, patterns: []string{"strict_date_optional_time"}}
	}
	return f
}

// parse reads a date; missing is the coarsest unit that the text leaves out.
func (f *dateFormat) parse(text string) (t time.Time, missing unit, ok bool) {
	for _, p := range f.patterns {
		switch p {
		case "strict_date_optional_time", "strict_date_optional_time_nanos":
			t, missing, ok = parseISO(text, true)
		case "date_optional_time":
			t, missing, ok = parseISO(text, false)
		case "epoch_millis", "epoch_second":
			t, ok = parseEpoch(text, p == "epoch_second")
			missing = unitMillisecond + 1
		default:
			t, missing, ok = parseDatePattern(p, text)
		}
		if ok {
			return t, missing, true
		}
	}
	return time.Time{}, 0, false
}

func (f *dateFormat) format(millis int64) string { return f.formatIn(millis, nil) }

// formatIn writes a date as clocks of a zone show it; nil means UTC.
func (f *dateFormat) formatIn(millis int64, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	t := time.UnixMilli(millis).In(zone)
	switch f.patterns[0] {
	case "strict_date_optional_time", "date_optional_time", "strict_date_optional_time_nanos":
		text := t.Format("-01-02T15:04:05.000Z07:00")
		switch year := t.Year(); {
		case year > 9999:
			return fmt.Sprintf("+%d%s", year, text)
		case year < 0:
			return fmt.Sprintf("-%04d%s", -year, text)
		default:
			return fmt.Sprintf("%04d%s", year, text)
		}
	case "epoch_millis":
		return strconv.FormatInt(millis, 10)
	case "epoch_second":
		return strconv.FormatInt(floorDiv(millis, 1000), 10)
	default:
		return formatDatePattern(f.patterns[0], t)
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func parseEpoch(text string, seconds bool) (time.Time, bool) {
	whole, fraction, hasFraction := strings.Cut(text, ".")
	v, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || hasFraction && strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	if !seconds {
		return time.UnixMilli(v).UTC(), true
	}
	millis := int64(0)
	if hasFraction {
		millis, _ = strconv.ParseInt((fraction + "000")[:3], 10, 64)
	}
	return time.UnixMilli(v*1000 + millis).UTC(), true
}

// scanner takes a date apart.
type dateScanner struct {
	text string
	ok   bool
}

func (s *dateScanner) digits(least, most int) int {
	n := 0
	for n < most && n < len(s.text) && s.text[n] >= '0' && s.text[n] <= '9' {
		n++
	}
	if n < least || n == 0 {
		s.ok = false
		return 0
	}
	v, _ := strconv.Atoi(s.text[:n])
	s.text = s.text[n:]
	return v
}

func (s *dateScanner) skip(c byte) bool {
	if len(s.text) > 0 && s.text[0] == c {
		s.text = s.text[1:]
		return true
	}
	return false
}

// fraction reads the digits of a fraction of a second, as nanoseconds.
func (s *dateScanner) fraction(most int) int {
	n := 0
	for n < most && n < len(s.text) && s.text[n] >= '0' && s.text[n] <= '9' {
		n++
	}
	if n == 0 {
		s.ok = false
		return 0
	}
	v, _ := strconv.Atoi((s.text[:n] + "000000000")[:9])
	s.text = s.text[n:]
	return v
}

// zone reads Z, +hh, +hhmm or +hh:mm, as seconds east of UTC.
func (s *dateScanner) zone() int {
	if s.skip('Z') {
		return 0
	}
	sign := 1
	switch {
	case s.skip('+'):
	case s.skip('-'):
		sign = -1
	default:
		s.ok = false
		return 0
	}
	hours, minutes := s.digits(2, 2), 0
	s.skip(':')
	if len(s.text) > 0 {
		minutes = s.digits(2, 2)
	}
	return sign * (hours*3600 + minutes*60)
}

// parts are the fields of a date.
type parts struct {
	year, month, day, hour, minute, second, nano, zone int
}

func (p parts) time() (time.Time, bool) {
	if p.month < 1 || p.month > 12 || p.day < 1 || p.hour > 23 || p.minute > 59 || p.second > 59 {
		return time.Time{}, false
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nano, time.UTC)
	if t.Day() != p.day {
		return time.Time{}, false
	}
	return t.Add(-time.Duration(p.zone) * time.Second), true
}

// parseISO reads an ISO date with an optional time.
func parseISO(text string, strict bool) (time.Time, unit, bool) {
	s := &dateScanner{text: text, ok: true}
	p := parts{month: 1, day: 1}
	least := 1
	if strict {
		least = 2
	}
	if strict {
		p.year = s.digits(4, 4)
	} else {
		p.year = s.digits(1, 9)
	}
	missing := unitMonth
	if s.ok && s.skip('-') {
		p.month, missing = s.digits(least, 2), unitDay
		if s.ok && s.skip('-') {
			p.day, missing = s.digits(least, 2), unitHour
		}
	}
	if s.ok && missing == unitHour && s.skip('T') && s.text != "" {
		p.hour, missing = s.digits(least, 2), unitMinute
		if s.ok && s.skip(':') {
			p.minute, missing = s.digits(least, 2), unitSecond
			if s.ok && s.skip(':') {
				p.second, missing = s.digits(least, 2), unitMillisecond
				if s.ok && (s.skip('.') || s.skip(',')) {
					p.nano, missing = s.fraction(9), unitMillisecond+1
				}
			}
		}
		if s.ok && s.text != "" {
			p.zone = s.zone()
		}
	}
	if !s.ok || s.text != "" {
		return time.Time{}, 0, false
	}
	t, ok := p.time()
	return t, missing, ok
}

// patternRuns splits a Java pattern into runs of one letter and literals.
func patternRuns(pattern string) []string {
	var runs []string
	for i := 0; i < len(pattern); {
		c := pattern[i]
		j := i + 1
		switch {
		case c == '\'':
			for j < len(pattern) && pattern[j] != '\'' {
				j++
			}
			j = min(j+1, len(pattern))
		default:
			for j < len(pattern) && pattern[j] == c {
				j++
			}
		}
		runs = append(runs, pattern[i:j])
		i = j
	}
	return runs
}

func parseDatePattern(pattern, text string) (time.Time, unit, bool) {
	s := &dateScanner{text: text, ok: true}
	p := parts{year: 1970, month: 1, day: 1}
	missing := unitMonth
	finest := func(u unit) { missing = max(missing, u+1) }
	for _, run := range patternRuns(pattern) {
		n := len(run)
		most := n
		if n == 1 {
			most = 9
		}
		switch run[0] {
		case 'y', 'u':
			p.year = s.digits(n, max(most, n))
			if n == 2 {
				p.year += 2000
			}
		case 'M':
			p.month = s.digits(n, most)
			finest(unitMonth)
		case 'd':
			p.day = s.digits(n, most)
			finest(unitDay)
		case 'H':
			p.hour = s.digits(n, most)
			finest(unitHour)
		case 'm':
			p.minute = s.digits(n, most)
			finest(unitMinute)
		case 's':
			p.second = s.digits(n, most)
			finest(unitSecond)
		case 'S':
			p.nano = s.fraction(n)
			finest(unitMillisecond)
		case 'Z', 'X':
			p.zone = s.zone()
		case '\'':
			for _, c := range []byte(strings.Trim(run, "'")) {
				s.ok = s.ok && s.skip(c)
			}
		default:
			for _, c := range []byte(run) {
				s.ok = s.ok && s.skip(c)
			}
		}
		if !s.ok {
			return time.Time{}, 0, false
		}
	}
	if s.text != "" {
		return time.Time{}, 0, false
	}
	t, ok := p.time()
	return t, missing, ok
}

func formatDatePattern(pattern string, t time.Time) string {
	var b strings.Builder
	for _, run := range patternRuns(pattern) {
		n := len(run)
		switch run[0] {
		case 'y', 'u':
			if n == 2 {
				fmt.Fprintf(&b, "%02d", t.Year()%100)
			} else {
				fmt.Fprintf(&b, "%0*d", n, t.Year())
			}
		case 'M':
			switch {
			case n >= 4:
				b.WriteString(t.Month().String())
			case n == 3:
				b.WriteString(t.Month().String()[:3])
			default:
				fmt.Fprintf(&b, "%0*d", n, int(t.Month()))
			}
		case 'd':
			fmt.Fprintf(&b, "%0*d", n, t.Day())
		case 'H':
			fmt.Fprintf(&b, "%0*d", n, t.Hour())
		case 'm':
			fmt.Fprintf(&b, "%0*d", n, t.Minute())
		case 's':
			fmt.Fprintf(&b, "%0*d", n, t.Second())
		case 'S':
			b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:min(n, 9)])
		case 'X':
			b.WriteString(t.Format([]string{"Z07", "Z0700", "Z07:00"}[min(n, 3)-1]))
		case 'Z':
			b.WriteString(t.Format("-0700"))
		case 'E':
			b.WriteString(t.Format(map[bool]string{false: "Mon", true: "Monday"}[n >= 4]))
		case '\'':
			b.WriteString(strings.Trim(run, "'"))
		default:
			b.WriteString(run)
		}
	}
	return b.String()
}

// advance moves a time by n units; truncate takes it to the beginning of one.
func advance(t time.Time, u byte, n int) (time.Time, bool) {
	switch u {
	case 'y':
		return t.AddDate(n, 0, 0), true
	case 'M':
		return t.AddDate(0, n, 0), true
	case 'w':
		return t.AddDate(0, 0, 7*n), true
	case 'd':
		return t.AddDate(0, 0, n), true
	case 'h', 'H':
		return t.Add(time.Duration(n) * time.Hour), true
	case 'm':
		return t.Add(time.Duration(n) * time.Minute), true
	case 's':
		return t.Add(time.Duration(n) * time.Second), true
	default:
		return t, false
	}
}

func truncateDate(t time.Time, u byte) time.Time {
	y, m, d := t.Date()
	switch u {
	case 'y':
		return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	case 'M':
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case 'w':
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case 'd':
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case 'h', 'H':
		return t.Truncate(time.Hour)
	case 'm':
		return t.Truncate(time.Minute)
	default:
		return t.Truncate(time.Second)
	}
}

var missingUnits = map[unit]byte{unitMonth: 'y', unitDay: 'M', unitHour: 'd', unitMinute: 'h', unitSecond: 'm', unitMillisecond: 's'}

// parseMath reads a date with date math ("now-1d/d", "2024-05-03||+1d/d") as
// milliseconds. roundUp fills in what is left out, and rounds, with the last
// millisecond instead of the first.
func (f *dateFormat) parseMath(text string, roundUp bool, now time.Time) (int64, *apiError) {
	var t time.Time
	math := ""
	if rest, ok := strings.CutPrefix(text, "now"); ok {
		t, math = now.UTC(), rest
	} else {
		date := text
		date, math, _ = strings.Cut(text, "||")
		parsed, missing, ok := f.parse(date)
		if !ok {
			return 0, dateError(f, date)
		}
		t = parsed
		if u, open := missingUnits[missing]; roundUp && open {
			t, _ = advance(t, u, 1)
			t = t.Add(-time.Millisecond)
		}
	}
	given := math
	for math != "" {
		op := math[0]
		math = math[1:]
		n := 0
		for math != "" && math[0] >= '0' && math[0] <= '9' {
			n = n*10 + int(math[0]-'0')
			math = math[1:]
		}
		if math == "" {
			return 0, newError(http.StatusBadRequest, "parse_exception", "truncated date math [%s]", given)
		}
		u := math[0]
		math = math[1:]
		if n == 0 {
			n = 1
		}
		switch op {
		case '+', '-':
			if op == '-' {
				n = -n
			}
			moved, ok := advance(t, u, n)
			if !ok {
				return 0, newError(http.StatusBadRequest, "parse_exception", "unit [%c] not supported for date math [%s]", u, given)
			}
			t = moved
		case '/':
			if _, ok := advance(t, u, 1); !ok {
				return 0, newError(http.StatusBadRequest, "parse_exception", "unit [%c] not supported for date math [%s]", u, given)
			}
			t = truncateDate(t, u)
			if roundUp {
				t, _ = advance(t, u, 1)
				t = t.Add(-time.Millisecond)
			}
		default:
			return 0, newError(http.StatusBadRequest, "parse_exception", "operator not supported for date math [%s]", given)
		}
	}
	return t.UnixMilli(), nil
}

// dateError is what a search is told about a wrong date.
func dateError(f *dateFormat, text string) *apiError {
	reason := fmt.Sprintf("failed to parse date field [%s] with format [%s]", text, f.name)
	return &apiError{
		status: http.StatusBadRequest, typ: "parse_exception", reason: reason + ": [" + reason + "]",
		cause: &apiError{
			typ: "illegal_argument_exception", reason: reason,
			cause: &apiError{typ: "date_time_parse_exception", reason: "Failed to parse with all enclosed parsers"},
		},
	}
}

// parseTimeValue reads a duration like "30s" or "100ms"; name is the parameter.
func parseTimeValue(name, text string) (time.Duration, *apiError) {
	units := []struct {
		suffix string
		unit   time.Duration
	}{
		{"nanos", time.Nanosecond}, {"micros", time.Microsecond}, {"ms", time.Millisecond},
		{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour},
	}
	if text == "-1" || text == "0" {
		n, _ := strconv.Atoi(text)
		return time.Duration(n), nil
	}
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil {
				return time.Duration(n) * u.unit, nil
			}
		}
	}
	return 0, illegalArgument("failed to parse setting [%s] with value [%s] as a time value: unit is missing or unrecognized", name, text)
}

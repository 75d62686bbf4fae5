package timefmt

import (
	"fmt"
	"time"
)

// ParseTimestamp reads a time in epoch milliseconds. What the pattern leaves out
// is 1970-01-01 00:00; zone is that of texts without one.
func (p *Pattern) ParseTimestamp(text string, zone *time.Location) (int64, error) {
	f, err := p.parse(text)
	if err != nil {
		return 0, err
	}
	days, err := f.date(true)
	if err != nil {
		return 0, fmt.Errorf("Text '%s' could not be parsed: %w", text, err)
	}
	nanos, err := f.clock()
	if err != nil {
		return 0, fmt.Errorf("Text '%s' could not be parsed: %w", text, err)
	}
	if f.zone != nil {
		zone = f.zone
	}
	local := time.Unix(days*86400+nanos/1e9, nanos%1e9).UTC()
	return inZone(local, zone).UnixMilli(), nil
}

// ParseDate reads a date in days since 1970-01-01; the pattern must have year,
// month and day, or year and day of the year.
func (p *Pattern) ParseDate(text string) (int64, error) {
	f, err := p.parse(text)
	if err != nil {
		return 0, err
	}
	days, err := f.date(false)
	if err != nil {
		return 0, fmt.Errorf("Text '%s' could not be parsed: %w", text, err)
	}
	return days, nil
}

// ParseTime reads a time of day in milliseconds. A pattern with a date is an
// error.
func (p *Pattern) ParseTime(text string) (int64, error) {
	f, err := p.parse(text)
	if err != nil {
		return 0, err
	}
	for at := fieldEra; at < fieldAmPm; at++ {
		if f.has[at] {
			return 0, fmt.Errorf("Time format contains date field.")
		}
	}
	if !f.has[fieldHour] && !f.has[fieldClockHour] && !f.has[fieldMilliOfDay] && !f.has[fieldNanoOfDay] &&
		(!f.has[fieldAmPm] || !f.has[fieldHourOfAmPm] && !f.has[fieldClockHourOfAmPm]) {
		return 0, fmt.Errorf("Unable to obtain LocalTime from '%s'", text)
	}
	nanos, err := f.clock()
	if err != nil {
		return 0, fmt.Errorf("Text '%s' could not be parsed: %w", text, err)
	}
	return nanos / 1e6 % 86_400_000, nil
}

// ParseDateLeniently reads a date as Java's older SimpleDateFormat does: months
// and days out of range run over into the next, text after the date is passed
// over, and what is left out is 1970-01-01. A time of day is an error.
func (p *Pattern) ParseDateLeniently(text string) (int64, error) {
	f := &fields{}
	if _, ok := parseItems(p.items, text, f); !ok {
		return 0, fmt.Errorf("Unparseable date: \"%s\"", text)
	}
	year, ok := f.year()
	if !ok {
		year = 1970
	}
	t := time.Date(int(year), time.Month(f.get(fieldMonth, 1)), int(f.get(fieldDay, 1)), 0, 0, 0, 0, time.UTC)
	if f.has[fieldDayOfYear] {
		t = time.Date(int(year), 1, int(f.values[fieldDayOfYear]), 0, 0, 0, 0, time.UTC)
	}
	nanos := f.hour()*3600e9 + f.get(fieldMinute, 0)*60e9 + f.get(fieldSecond, 0)*1e9 + f.get(fieldNano, 0)
	t = t.Add(time.Duration(nanos))
	if f.zone != nil {
		t = inZone(t, f.zone).UTC()
	}
	if t.Unix()%86400 != 0 || t.Nanosecond() != 0 {
		return 0, fmt.Errorf("Date format contains time field.")
	}
	return t.Unix() / 86400, nil
}

func (f *fields) year() (int64, bool) {
	switch {
	case f.has[fieldYear]:
		return f.values[fieldYear], true
	case f.has[fieldYearOfEra] && f.get(fieldEra, 1) == 0:
		return 1 - f.values[fieldYearOfEra], true
	case f.has[fieldYearOfEra]:
		return f.values[fieldYearOfEra], true
	default:
		return 1970, false
	}
}

func outOfRange(what string, v int64) error {
	return fmt.Errorf("Invalid value for %s: %d", what, v)
}

// date is the day that was read. A day that its month does not have becomes the
// month's last. partial allows fields to be missing.
func (f *fields) date(partial bool) (int64, error) {
	year, hasYear := f.year()
	if year < -999_999_999 || year > 999_999_999 {
		return 0, outOfRange("Year", year)
	}
	for _, at := range []field{fieldWeek, fieldWeekYear, fieldWeekOfMonth, fieldAlignedWeek, fieldQuarter, fieldLocalWeekday} {
		if f.has[at] {
			return 0, fmt.Errorf("weeks and quarters can't be read, only written")
		}
	}
	month, day := f.get(fieldMonth, 1), f.get(fieldDay, 1)
	switch {
	case month < 1 || month > 12:
		return 0, outOfRange("MonthOfYear", month)
	case day < 1 || day > 31:
		return 0, outOfRange("DayOfMonth", day)
	}
	complete := hasYear && (f.has[fieldDayOfYear] || f.has[fieldMonth] && f.has[fieldDay])
	if !complete && !partial {
		return 0, fmt.Errorf("Unable to obtain LocalDate: year, month or day is missing")
	}
	var t time.Time
	if f.has[fieldDayOfYear] {
		n := f.values[fieldDayOfYear]
		t = time.Date(int(year), 1, int(n), 0, 0, 0, 0, time.UTC)
		if n < 1 || t.Year() != int(year) {
			return 0, outOfRange("DayOfYear", n)
		}
	} else {
		last := time.Date(int(year), time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
		t = time.Date(int(year), time.Month(month), min(int(day), last), 0, 0, 0, 0, time.UTC)
	}
	if complete && f.has[fieldWeekday] && int64(t.Weekday()) != f.values[fieldWeekday] {
		return 0, fmt.Errorf("Conflict found: %s is a %s", t.Format(time.DateOnly), t.Weekday())
	}
	return t.Unix() / 86400, nil
}

func (f *fields) hour() int64 {
	switch {
	case f.has[fieldHour]:
		return f.values[fieldHour]
	case f.has[fieldClockHour]:
		return f.values[fieldClockHour] % 24
	case f.has[fieldHourOfAmPm]:
		return f.get(fieldAmPm, 0)*12 + f.values[fieldHourOfAmPm]
	case f.has[fieldClockHourOfAmPm]:
		return f.get(fieldAmPm, 0)*12 + f.values[fieldClockHourOfAmPm]%12
	default:
		return f.get(fieldAmPm, 0) * 12
	}
}

// clock is the time of day that was read, in nanoseconds; 24:00 is the end of
// the day.
func (f *fields) clock() (int64, error) {
	for _, r := range []struct {
		at          field
		what        string
		least, most int64
	}{
		{fieldHour, "HourOfDay", 0, 24}, {fieldClockHour, "ClockHourOfDay", 1, 24}, {fieldHourOfAmPm, "HourOfAmPm", 0, 11},
		{fieldClockHourOfAmPm, "ClockHourOfAmPm", 1, 12}, {fieldMinute, "MinuteOfHour", 0, 59}, {fieldSecond, "SecondOfMinute", 0, 59},
		{fieldNano, "NanoOfSecond", 0, 999_999_999}, {fieldMilliOfDay, "MilliOfDay", 0, 86_399_999}, {fieldNanoOfDay, "NanoOfDay", 0, 86_399_999_999_999},
	} {
		if v := f.values[r.at]; f.has[r.at] && (v < r.least || v > r.most) {
			return 0, outOfRange(r.what, v)
		}
	}
	if f.has[fieldNanoOfDay] {
		return f.values[fieldNanoOfDay], nil
	}
	if f.has[fieldMilliOfDay] {
		return f.values[fieldMilliOfDay] * 1e6, nil
	}
	nanos := f.hour()*3600e9 + f.get(fieldMinute, 0)*60e9 + f.get(fieldSecond, 0)*1e9 + f.get(fieldNano, 0)
	if nanos > 24*3600e9 {
		return 0, outOfRange("HourOfDay", 24)
	}
	return nanos, nil
}

// inZone is the instant of a local time. One that comes twice is the first, one
// that is left out is moved on by the gap, as in Java.
func inZone(local time.Time, zone *time.Location) time.Time {
	if zone == time.UTC {
		return local
	}
	offsetAt := func(t time.Time) time.Duration {
		_, offset := t.In(zone).Zone()
		return time.Duration(offset) * time.Second
	}
	before, after := offsetAt(local.Add(-24*time.Hour)), offsetAt(local.Add(24*time.Hour))
	if first := local.Add(-before); before == after || offsetAt(first) == before {
		return first
	}
	if second := local.Add(-after); offsetAt(second) == after {
		return second
	}
	return local.Add(-before)
}

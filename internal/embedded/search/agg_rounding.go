package search

import (
	"strconv"
	"time"
)

// rounding puts points in time into intervals: those of a calendar, or of a fixed
// length, as clocks of a zone show them.
type rounding struct {
	unit   byte // of a calendar: s m h d w M q y; 0 for a fixed length
	fixed  int64
	offset int64 // milliseconds
	zone   *time.Location
}

var calendarUnits = map[string]byte{
	"second": 's', "1s": 's', "minute": 'm', "1m": 'm', "hour": 'h', "1h": 'h', "day": 'd', "1d": 'd',
	"week": 'w', "1w": 'w', "month": 'M', "1M": 'M', "quarter": 'q', "1q": 'q', "year": 'y', "1y": 'y',
}

func parseCalendarInterval(text string) (byte, *apiError) {
	u, ok := calendarUnits[text]
	if !ok {
		return 0, illegalArgument("The supplied interval [%s] could not be parsed as a calendar interval.", text)
	}
	return u, nil
}

// parseFixedInterval reads a number of milliseconds, seconds, minutes, hours or
// days.
func parseFixedInterval(text string) (int64, *apiError) {
	for _, u := range []struct {
		suffix string
		millis int64
	}{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}, {"d", 86_400_000}} {
		if n := len(text) - len(u.suffix); n > 0 && text[n:] == u.suffix {
			v, err := strconv.ParseInt(text[:n], 10, 64)
			if err == nil && v > 0 {
				return v * u.millis, nil
			}
			if err == nil {
				return -1, nil // refused when it meets an index
			}
		}
	}
	return 0, illegalArgument("failed to parse setting [date_histogram.fixedInterval] with value [%s] as a time value: unit is missing or unrecognized", text)
}

// parseOffset reads a duration that may be negative.
func parseOffset(text string) (int64, *apiError) {
	sign, rest := int64(1), text
	switch {
	case len(text) > 0 && text[0] == '-':
		sign, rest = -1, text[1:]
	case len(text) > 0 && text[0] == '+':
		rest = text[1:]
	}
	d, err := parseTimeValue("offset", rest)
	return sign * d.Milliseconds(), err
}

func (r *rounding) location() *time.Location {
	if r.zone == nil {
		return time.UTC
	}
	return r.zone
}

// round gives the beginning of the interval of a point in time, in milliseconds.
func (r *rounding) round(millis int64) int64 { return r.floor(millis-r.offset) + r.offset }

func (r *rounding) floor(millis int64) int64 {
	loc := r.location()
	if r.unit == 0 {
		shift := int64(0)
		if loc != time.UTC {
			_, seconds := time.UnixMilli(millis).In(loc).Zone()
			shift = int64(seconds) * 1000
		}
		local := floorDiv(millis+shift, r.fixed) * r.fixed
		if loc == time.UTC {
			return local
		}
		return instant(local, loc)
	}
	t := time.UnixMilli(millis).In(loc)
	y, m, d := t.Date()
	switch r.unit {
	case 's':
		return floorDiv(millis, 1000) * 1000
	case 'm', 'h':
		length := int64(60_000)
		if r.unit == 'h' {
			length = 3_600_000
		}
		_, seconds := t.Zone()
		shift := int64(seconds) * 1000
		return floorDiv(millis+shift, length)*length - shift
	case 'd':
	case 'w':
		d -= (int(t.Weekday()) + 6) % 7
	case 'M':
		d = 1
	case 'q':
		m, d = m-(m-1)%3, 1
	default:
		m, d = 1, 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, loc).UnixMilli()
}

// instant is the point in time at which clocks of a zone show milliseconds of
// local time.
func instant(local int64, loc *time.Location) int64 {
	t := time.UnixMilli(local).UTC()
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc).UnixMilli()
}

// next gives the beginning of the interval after the one that begins at a point.
func (r *rounding) next(begin int64) int64 {
	begin -= r.offset
	if r.unit == 0 {
		if loc := r.location(); loc != time.UTC {
			_, seconds := time.UnixMilli(begin).In(loc).Zone()
			if after := instant(begin+int64(seconds)*1000+r.fixed, loc); after > begin {
				return after + r.offset
			}
		}
		return begin + r.fixed + r.offset
	}
	t := time.UnixMilli(begin).In(r.location())
	switch r.unit {
	case 's':
		t = t.Add(time.Second)
	case 'm':
		t = t.Add(time.Minute)
	case 'h':
		t = t.Add(time.Hour)
	case 'd':
		t = t.AddDate(0, 0, 1)
	case 'w':
		t = t.AddDate(0, 0, 7)
	case 'M':
		t = t.AddDate(0, 1, 0)
	case 'q':
		t = t.AddDate(0, 3, 0)
	default:
		t = t.AddDate(1, 0, 0)
	}
	return r.floor(t.UnixMilli()) + r.offset
}

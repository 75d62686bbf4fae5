package function

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/timefmt"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// timePatterns remembers the pattern and the zone used last, since a query
// nearly always uses one.
type timePatterns struct {
	pattern atomic.Pointer[timefmt.Pattern]
	zone    atomic.Pointer[namedZone]
}

type namedZone struct {
	name string
	loc  *time.Location
}

func (p *timePatterns) compile(text string) (*timefmt.Pattern, error) {
	if c := p.pattern.Load(); c != nil && c.String() == text {
		return c, nil
	}
	c, err := timefmt.Compile(text)
	if err == nil {
		p.pattern.Store(c)
	}
	return c, err
}

func (p *timePatterns) location(name string) (*time.Location, error) {
	if z := p.zone.Load(); z != nil && z.name == name {
		return z.loc, nil
	}
	loc, err := types.ParseZone(name)
	if err == nil {
		p.zone.Store(&namedZone{name, loc})
	}
	return loc, err
}

// withPatterns binds code that has a memory for patterns of its own.
func withPatterns(make func(p *timePatterns) Impl) func([]*types.Type, *types.Type) (Impl, error) {
	return func([]*types.Type, *types.Type) (Impl, error) { return make(&timePatterns{}), nil }
}

func (p *timePatterns) format(t time.Time, pattern types.Value, parts timefmt.Parts) (types.Value, error) {
	c, err := p.compile(pattern.Str())
	if err != nil {
		return types.Null, err
	}
	s, err := c.Format(t, parts)
	return types.StringValue(s), err
}

func (p *timePatterns) formatIn(millis, pattern types.Value, zone string) (types.Value, error) {
	loc, err := p.location(zone)
	if err != nil {
		return types.Null, fmt.Errorf("Failed to format timestamp %d with formatter '%s': %w", millis.Int(), pattern.Str(), err)
	}
	v, err := p.format(time.UnixMilli(millis.Int()).In(loc), pattern, timefmt.Date|timefmt.Clock|timefmt.Zone)
	if err != nil {
		return types.Null, fmt.Errorf("Failed to format timestamp %d with formatter '%s': %w", millis.Int(), pattern.Str(), err)
	}
	return v, nil
}

func (p *timePatterns) parseIn(s, pattern types.Value, zone string) (types.Value, error) {
	loc, err := p.location(zone)
	if err != nil {
		return types.Null, fmt.Errorf("Failed to parse timestamp '%s' with formatter '%s': %w", s.Str(), pattern.Str(), err)
	}
	c, err := p.compile(pattern.Str())
	if err != nil {
		return types.Null, err
	}
	millis, err := c.ParseTimestamp(s.Str(), loc)
	if err != nil {
		return types.Null, fmt.Errorf("Failed to parse timestamp '%s' with formatter '%s': %w", s.Str(), pattern.Str(), err)
	}
	return types.IntValue(millis), nil
}

// parseWith declares a function of a text and a pattern with a number as result.
func parseWith(name, first, result, description string, parse func(c *timefmt.Pattern, s string) (int64, error)) scalarDef {
	return scalarDef{name, CategoryDateTime, description, []overloadDef{{params: "VARCHAR " + first + ", VARCHAR formatPattern", result: result, bind: withPatterns(func(p *timePatterns) Impl {
		return f2(func(s, pattern types.Value) (types.Value, error) {
			c, err := p.compile(pattern.Str())
			if err != nil {
				return types.Null, err
			}
			i, err := parse(c, s.Str())
			if err == nil && i != int64(int32(i)) && result != "TIME" {
				err = errors.New("integer overflow")
			}
			return types.IntValue(i), err
		})
	})}}}
}

func timeFunctions(opts Options) []scalarDef {
	formatTimestamp := func(name, param, description string) scalarDef {
		return scalarDef{name, CategoryDateTime, description, []overloadDef{
			{params: param + ", VARCHAR formatPattern", result: "VARCHAR", bind: withPatterns(func(p *timePatterns) Impl {
				return f2(func(v, pattern types.Value) (types.Value, error) { return p.formatIn(v, pattern, "GMT") })
			})},
			{params: param + ", VARCHAR formatPattern, VARCHAR timeZone", result: "VARCHAR", bind: withPatterns(func(p *timePatterns) Impl {
				return f3(func(v, pattern, zone types.Value) (types.Value, error) { return p.formatIn(v, pattern, zone.Str()) })
			})},
		}}
	}
	parseTimestamp := func(name, result, description string) scalarDef {
		return scalarDef{name, CategoryDateTime, description, []overloadDef{
			{params: "VARCHAR formattedTimestamp, VARCHAR formatPattern", result: result, bind: withPatterns(func(p *timePatterns) Impl {
				return f2(func(s, pattern types.Value) (types.Value, error) { return p.parseIn(s, pattern, "GMT") })
			})},
			{params: "VARCHAR formattedTimestamp, VARCHAR formatPattern, VARCHAR timeZone", result: result, bind: withPatterns(func(p *timePatterns) Impl {
				return f3(func(s, pattern, zone types.Value) (types.Value, error) { return p.parseIn(s, pattern, zone.Str()) })
			})},
		}}
	}
	formatDay := func(name, param, description string) scalarDef {
		return scalarDef{name, CategoryDateTime, description, []overloadDef{{params: param + ", VARCHAR formatPattern", result: "VARCHAR", bind: withPatterns(func(p *timePatterns) Impl {
			return f2(func(days, pattern types.Value) (types.Value, error) {
				return p.format(time.Unix(days.Int()*86400, 0).UTC(), pattern, timefmt.Date)
			})
		})}}}
	}
	return []scalarDef{
		formatTimestamp("format_timestamp", "TIMESTAMP timestamp", "A timestamp as text, by a pattern, in a time zone (GMT when left out)."),
		formatTimestamp("timestamptostring", "BIGINT epochMilli", "Epoch milliseconds as text, by a pattern, in a time zone (GMT when left out)."),
		parseTimestamp("parse_timestamp", "TIMESTAMP", "The timestamp of a text, by a pattern, in a time zone (GMT when left out)."),
		parseTimestamp("stringtotimestamp", "BIGINT", "The epoch milliseconds of a text, by a pattern, in a time zone (GMT when left out)."),
		formatDay("format_date", "DATE date", "A date as text, by a pattern."),
		formatDay("datetostring", "INT epochDays", "Days since 1970-01-01 as text, by a pattern."),
		parseWith("parse_date", "formattedDate", "DATE", "The date of a text, by a pattern.", (*timefmt.Pattern).ParseDateLeniently),
		parseWith("stringtodate", "formattedDate", "INT", "The days since 1970-01-01 of a text, by a pattern.", (*timefmt.Pattern).ParseDate),
		{"format_time", CategoryDateTime, "A time of day as text, by a pattern.", []overloadDef{{params: "TIME time, VARCHAR formatPattern", result: "VARCHAR", bind: withPatterns(func(p *timePatterns) Impl {
			return f2(func(v, pattern types.Value) (types.Value, error) {
				return p.format(time.UnixMilli(v.Int()).UTC(), pattern, timefmt.Clock)
			})
		})}}},
		parseWith("parse_time", "formattedTime", "TIME", "The time of day of a text, by a pattern.", (*timefmt.Pattern).ParseTime),
		{"unix_timestamp", CategoryDateTime, "The epoch milliseconds of a timestamp, or of now.", []overloadDef{
			{params: "", result: "BIGINT", volatile: true, impl: Impl{F0: func() (types.Value, error) { return types.IntValue(opts.Now().UnixMilli()), nil }}},
			{params: "TIMESTAMP timestamp", result: "BIGINT", impl: f1(same)},
		}},
		{"unix_date", CategoryDateTime, "The days since 1970-01-01 of a date, or of today.", []overloadDef{
			{params: "", result: "INT", volatile: true, impl: Impl{F0: func() (types.Value, error) {
				return types.IntValue(types.TimestampToDate(opts.Now().UnixMilli())), nil
			}}},
			{params: "DATE date", result: "INT", impl: f1(same)},
		}},
		{"from_unixtime", CategoryDateTime, "The timestamp of epoch milliseconds.", []overloadDef{{params: "BIGINT epochMilli", result: "TIMESTAMP", impl: f1(same)}}},
		{"from_days", CategoryDateTime, "The date of days since 1970-01-01.", []overloadDef{{params: "INT days", result: "DATE", impl: f1(same)}}},
		{"convert_tz", CategoryDateTime, "A timestamp moved by the difference of two time zones.", []overloadDef{
			{params: "TIMESTAMP timestamp, VARCHAR fromTimeZone, VARCHAR toTimeZone", result: "TIMESTAMP", impl: f3(convertZone)},
		}},
	}
}

func convertZone(v, from, to types.Value) (types.Value, error) {
	t := time.UnixMilli(v.Int())
	offset := func(name string) (int64, error) {
		loc, err := types.ParseZone(name)
		if err != nil {
			return 0, fmt.Errorf("Invalid time zone: %w", err)
		}
		_, seconds := t.In(loc).Zone()
		return int64(seconds) * 1000, nil
	}
	there, err := offset(to.Str())
	if err != nil {
		return types.Null, err
	}
	here, err := offset(from.Str())
	return types.IntValue(v.Int() + there - here), err
}

// toMillis is so many units of time, limited to what 64 bits hold.
func toMillis(unit, n types.Value) int64 {
	u, i := unit.Int(), n.Int()
	switch {
	case i > math.MaxInt64/u:
		return math.MaxInt64
	case i < math.MinInt64/u:
		return math.MinInt64
	default:
		return u * i
	}
}

// timeArithmetic are the functions that add a number of units, or take it away.
// A unit as an argument is its length in milliseconds.
func timeArithmetic() []scalarDef {
	shift := func(name, param, result, description string, apply func(v, millis int64) int64) scalarDef {
		return scalarDef{name, CategoryDateTime, description, []overloadDef{
			{params: "INTERVAL UNIT unit, INT interval, " + param, result: result, impl: f3(func(unit, n, v types.Value) (types.Value, error) {
				return types.IntValue(apply(v.Int(), toMillis(unit, n))), nil
			})},
		}}
	}
	day := func(v, millis int64) int64 { return (types.DateToTimestamp(v) + millis) / 86_400_000 }
	clock := func(v, millis int64) int64 { return types.TimestampToTime(v + millis%86_400_000) }
	return []scalarDef{
		shift("timestampadd", "TIMESTAMP timestamp", "TIMESTAMP", "A timestamp later by so many units.", func(v, millis int64) int64 { return v + millis }),
		shift("timestampsub", "TIMESTAMP timestamp", "TIMESTAMP", "A timestamp earlier by so many units.", func(v, millis int64) int64 { return v - millis }),
		shift("dateadd", "DATE date", "DATE", "A date later by so many units.", day),
		shift("datesub", "DATE date", "DATE", "A date earlier by so many units.", func(v, millis int64) int64 { return day(v, -millis) }),
		shift("timeadd", "TIME time", "TIME", "A time of day later by so many units.", clock),
		shift("timesub", "TIME time", "TIME", "A time of day earlier by so many units.", func(v, millis int64) int64 { return clock(v, -millis) }),
	}
}

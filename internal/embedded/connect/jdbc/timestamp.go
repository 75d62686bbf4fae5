package jdbc

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known on machines without a zone database

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// customZone is Java's form of a zone by its distance from Greenwich.
var customZone = regexp.MustCompile(`^GMT([+-])(\d{1,2})(?::?(\d{2}))?$`)

// zoneOf gives the time zone of a name as Java has it.
func zoneOf(name string) (*time.Location, error) {
	if m := customZone.FindStringSubmatch(name); m != nil {
		hours, _ := strconv.Atoi(m[2])   // the pattern has digits only
		minutes, _ := strconv.Atoi(m[3]) // or nothing
		if hours > 23 || minutes > 59 {
			return nil, fmt.Errorf("%s is no time zone", name)
		}
		seconds := hours*3600 + minutes*60
		if m[1] == "-" {
			seconds = -seconds
		}
		return time.FixedZone(name, seconds), nil
	}
	if name == "" || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("%q is no time zone", name)
	}
	return time.LoadLocation(name)
}

// granularity is what TIMESTAMP columns become: the value of
// timestamp.granularity in lower case.
type granularity string

// The patterns of dates and times as texts.
const (
	microsText = "2006-01-02T15:04:05.000000"
	nanosText  = "2006-01-02T15:04:05.000000000"
)

// schema gives what a TIMESTAMP column becomes.
func (g granularity) schema() *data.Schema {
	switch g {
	case "micros_long", "nanos_long":
		return data.Of(data.Int64)
	case "micros_string", "nanos_string", "micros_iso_datetime_string", "nanos_iso_datetime_string":
		return data.Of(data.String)
	default:
		return data.Timestamp()
	}
}

// value turns a time into it. Texts of dates are in the database's zone.
func (g granularity) value(at time.Time, zone *time.Location) any {
	switch g {
	case "micros_long":
		return at.UnixMicro()
	case "nanos_long":
		return at.UnixNano()
	case "micros_string":
		return strconv.FormatInt(at.UnixMicro(), 10)
	case "nanos_string":
		return strconv.FormatInt(at.UnixNano(), 10)
	case "micros_iso_datetime_string":
		return at.In(zone).Format(microsText)
	case "nanos_iso_datetime_string":
		return at.In(zone).Format(nanosText)
	default:
		return at
	}
}

package jdbc

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// sqlType is what the real driver says a column of a result is. It goes by the
// declared type and by the kind of value in the first row.
type sqlType int

const (
	sqlNumeric sqlType = iota
	sqlBoolean
	sqlTinyInt
	sqlSmallInt
	sqlInteger
	sqlBigInt
	sqlDate
	sqlTimestamp
	sqlDecimal
	sqlDouble
	sqlReal
	sqlText
	sqlBinary
	sqlBlob
)

var whenWhole = map[string]sqlType{
	"BOOLEAN": sqlBoolean, "TINYINT": sqlTinyInt, "SMALLINT": sqlSmallInt, "INT2": sqlSmallInt,
	"BIGINT": sqlBigInt, "INT8": sqlBigInt, "UNSIGNED BIG INT": sqlBigInt,
	"DATE": sqlDate, "DATETIME": sqlDate, "TIMESTAMP": sqlTimestamp,
}

var whenFloat = map[string]sqlType{
	"DECIMAL": sqlDecimal, "DOUBLE": sqlDouble, "DOUBLE PRECISION": sqlDouble, "NUMERIC": sqlNumeric, "REAL": sqlReal, "FLOAT": sqlDouble,
}

var whenText = map[string]sqlType{
	"CHARACTER": sqlText, "NCHAR": sqlText, "NATIVE CHARACTER": sqlText, "CHAR": sqlText, "CLOB": sqlText,
	"DATE": sqlDate, "DATETIME": sqlDate, "TIMESTAMP": sqlTimestamp,
	"VARCHAR": sqlText, "VARYING CHARACTER": sqlText, "NVARCHAR": sqlText, "TEXT": sqlText,
}

// typeOf says what a column is, given its value in the first row.
func typeOf(declared string, first any) sqlType {
	t, ok := sqlNumeric, false
	whole, isWhole := first.(int64)
	_, isFloat := first.(float64)
	_, isBlob := first.([]byte)
	_, isText := first.(string)
	if _, isTime := first.(time.Time); isTime {
		isText = true
	}
	isNull := first == nil
	if isWhole || isNull {
		if t, ok = whenWhole[declared]; ok {
			return t
		}
		if isWhole || declared == "INT" || declared == "INTEGER" || declared == "MEDIUMINT" {
			if whole > math.MaxInt32 || whole < math.MinInt32 {
				return sqlBigInt
			}
			return sqlInteger
		}
	}
	if isFloat || isNull {
		if t, ok = whenFloat[declared]; ok {
			return t
		}
		if isFloat {
			return sqlDouble
		}
	}
	if isText || isNull {
		if t, ok = whenText[declared]; ok {
			return t
		}
		if isText {
			return sqlText
		}
	}
	switch {
	case (isBlob || isNull) && declared == "BINARY":
		return sqlBinary
	case isBlob || isNull && declared == "BLOB":
		return sqlBlob
	}
	return sqlNumeric
}

// signed is what the real driver says of a declared type; it decides how wide a
// whole number's type is.
func signed(declared string) bool {
	return declared == "NUMERIC" || declared == "INTEGER" || declared == "REAL"
}

// The ways to turn NUMERIC columns into numbers.
const (
	mappingNone        = "none"
	mappingPrecision   = "precision_only"
	mappingBestFit     = "best_fit"
	mappingEagerDouble = "best_fit_eager_double"
)

var mappings = []string{mappingNone, mappingPrecision, mappingBestFit, mappingEagerDouble}

// mostDigits is how many digits a whole number has at most.
const mostDigits = 18

// numericAs gives what a NUMERIC column becomes, nil for an exact number.
func numericAs(mapping string, c column) *data.Schema {
	switch {
	case mapping == mappingPrecision && c.scale == 0 && c.precision <= mostDigits,
		(mapping == mappingBestFit || mapping == mappingEagerDouble) && c.scale < 1 && c.precision <= mostDigits:
		return wholeOfDigits(c.precision)
	case mapping == mappingBestFit && c.scale > 0 && c.precision <= mostDigits, mapping == mappingEagerDouble:
		return data.Of(data.Float64)
	default:
		return nil
	}
}

// wholeOfDigits gives the narrowest type of whole numbers with so many digits.
func wholeOfDigits(n int) *data.Schema {
	switch {
	case n > 9:
		return data.Of(data.Int64)
	case n > 4:
		return data.Of(data.Int32)
	case n > 2:
		return data.Of(data.Int16)
	default:
		return data.Of(data.Int8)
	}
}

// errUnread is how the real driver refuses exact numbers and BLOBs.
func errUnread(c column) error {
	const class, message = "java.sql.SQLFeatureNotSupportedException", "not implemented by SQLite JDBC driver"
	hint := fault.New("", "the column %s is of type %s, which SQLite's JDBC driver does not read: set numeric.mapping to best_fit_eager_double, or declare it as INTEGER, BIGINT, DOUBLE, TEXT or BINARY", quote(c.name), c.declared)
	return fault.Wrap(fault.Data, &fault.Fault{Class: class, Message: message, Hint: hint.Message}, "%s: %s", class, message)
}

// form says what columns become.
type form struct {
	mapping     string         // of NUMERIC columns
	zone        *time.Location // of texts and Julian days
	granularity granularity    // of TIMESTAMP columns
}

// schemaOf gives the Connect schema of a column.
func schemaOf(t sqlType, c column, form form) (*data.Schema, error) {
	var s *data.Schema
	switch t {
	case sqlNumeric:
		if s = numericAs(form.mapping, c); s == nil {
			return nil, errUnread(c)
		}
	case sqlBoolean:
		s = data.Of(data.Boolean)
	case sqlTinyInt:
		s = data.Of(data.Int16)
	case sqlSmallInt:
		s = data.Of(data.Int32)
	case sqlInteger:
		s = data.Of(data.Int64)
		if signed(c.declared) {
			s = data.Of(data.Int32)
		}
	case sqlBigInt:
		s = data.Of(data.Int64)
	case sqlDouble:
		s = data.Of(data.Float64)
	case sqlReal:
		s = data.Of(data.Float32)
	case sqlText:
		s = data.Of(data.String)
	case sqlBinary:
		s = data.Of(data.Bytes)
	case sqlTimestamp:
		s = form.granularity.schema()
	case sqlDate:
		s = data.Date()
	default:
		return nil, errUnread(c)
	}
	return s.AsOptional(c.nullable), nil
}

// valueOf reads a value as a type of column.
func valueOf(t sqlType, c column, form form, schema *data.Schema, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch t {
	case sqlNumeric:
		return numericOf(schema, v), nil
	case sqlBoolean:
		return wholeOf(v) != 0, nil
	case sqlTinyInt:
		return int16(wholeOf(v)), nil
	case sqlSmallInt:
		return int32(wholeOf(v)), nil
	case sqlInteger, sqlBigInt:
		if schema.Type == data.Int32 {
			return int32(wholeOf(v)), nil
		}
		return wholeOf(v), nil
	case sqlDouble:
		return floatOf(v), nil
	case sqlReal:
		return float32(floatOf(v)), nil
	case sqlText:
		return textOf(v), nil
	case sqlBinary:
		if raw, ok := v.([]byte); ok {
			return raw, nil
		}
		return []byte(textOf(v)), nil
	case sqlTimestamp:
		at, err := timeOf(c, form.zone, v)
		if err != nil {
			return nil, err
		}
		return form.granularity.value(at, form.zone), nil
	default:
		return dateOf(c, v)
	}
}

// numericOf reads a NUMERIC value as what the column became.
func numericOf(schema *data.Schema, v any) any {
	switch schema.Type {
	case data.Int8:
		return int8(wholeOf(v)) //nolint:gosec // the driver cuts it off too
	case data.Int16:
		return int16(wholeOf(v)) //nolint:gosec // the driver cuts it off too
	case data.Int32:
		return int32(wholeOf(v)) //nolint:gosec // the driver cuts it off too
	case data.Int64:
		return wholeOf(v)
	default:
		return floatOf(v)
	}
}

// wholeOf reads a value as SQLite's column_int64 does.
func wholeOf(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	default:
		text := strings.TrimSpace(textOf(v))
		end := 0
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '-' || text[0] == '+')) {
			end++
		}
		n, ok := new(big.Int).SetString(text[:end], 10)
		if !ok || !n.IsInt64() {
			return 0
		}
		return n.Int64()
	}
}

func floatOf(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	default:
		f, err := strconv.ParseFloat(strings.TrimSpace(textOf(v)), 64)
		if err != nil {
			return 0
		}
		return f
	}
}

// textOf writes a value as SQLite does.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		text := strconv.FormatFloat(v, 'g', 15, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return text
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.000")
	default:
		return ""
	}
}

var timeLayouts = []string{"2006-01-02 15:04:05.999999999", "2006-01-02"}

// timeOf reads a time in a zone. Numbers are the same in all zones.
func timeOf(c column, zone *time.Location, v any) (time.Time, error) {
	switch v := v.(type) {
	case int64:
		return data.SQLTime(time.UnixMilli(v)), nil
	case float64:
		// The real driver takes a real number for a Julian day, whose parts it reads
		// in the zone.
		at := time.UnixMilli(int64(math.Round((v - 2440587.5) * 86400000))).UTC()
		return data.SQLTime(time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), zone)), nil
	case time.Time:
		return data.SQLTime(v), nil
	default:
		text := textOf(v)
		for _, layout := range timeLayouts {
			if at, err := time.ParseInLocation(layout, text, zone); err == nil {
				return data.SQLTime(at), nil
			}
		}
		return time.Time{}, fault.New(fault.SQL, "Error parsing time stamp: the column %s has %q, which is no time like 2006-01-02 15:04:05.000 and no number of milliseconds", quote(c.name), text)
	}
}

// dateText is the pattern of the texts that the real driver takes for dates, and
// datePattern how it writes it.
var dateText = regexp.MustCompile(`^\d+-\d+-\d+ \d+:\d+:\d+\.\d+`)

const datePattern = `(\p{Nd}++)\Q-\E(\p{Nd}++)\Q-\E(\p{Nd}++)\Q \E(\p{Nd}++)\Q:\E(\p{Nd}++)\Q:\E(\p{Nd}++)\Q.\E(\p{Nd}++)`

func dateOf(c column, v any) (any, error) {
	if text, ok := v.(string); ok && !dateText.MatchString(text) {
		unparsed := fault.New("java.text.ParseException", "Unparseable date: %q does not match %s", text, datePattern)
		failed := fault.Wrap(fault.SQL, unparsed, "Error parsing time stamp")
		return nil, fault.Wrap(fault.Data, failed, "%s: %s", failed.Class, failed.Message)
	}
	return timeOf(c, time.UTC, v)
}

// milliseconds reads a value of a timestamp column.
func milliseconds(c column, zone *time.Location, v any) (int64, error) {
	at, err := timeOf(c, zone, v)
	if err != nil {
		return 0, err
	}
	return at.UnixMilli(), nil
}

package data

import "time"

// ClassName is the Java class of a value.
func ClassName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "java.lang.String"
	case int8:
		return "java.lang.Byte"
	case int16:
		return "java.lang.Short"
	case int32:
		return "java.lang.Integer"
	case int64:
		return "java.lang.Long"
	case float32:
		return "java.lang.Float"
	case float64:
		return "java.lang.Double"
	case bool:
		return "java.lang.Boolean"
	case []byte:
		return "[B"
	case Decimal:
		return "java.math.BigDecimal"
	case time.Time:
		if IsSQLTime(v) {
			return "java.sql.Timestamp"
		}
		return "java.util.Date"
	case []any:
		return "java.util.ArrayList"
	case *Map:
		return "java.util.HashMap"
	case *Struct:
		return "org.apache.kafka.connect.data.Struct"
	default:
		return "java.lang.Object"
	}
}

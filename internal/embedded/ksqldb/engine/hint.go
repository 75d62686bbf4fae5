package engine

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// Hint says what ksqlDB's message leaves out: of a syntax error what was found,
// expected and probably meant; of a name that is unknown what the name should
// perhaps have been. It may be empty.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	var syntax *parser.Error
	if errors.As(e.cause, &syntax) {
		return syntax.Hint
	}
	if m := unknownColumn.FindStringSubmatch(e.Message); m != nil {
		return columnHint(m[1])
	}
	if m := unknownFunction.FindStringSubmatch(e.Message); m != nil {
		if name, ok := otherNames[strings.ToUpper(m[1])]; ok {
			return fmt.Sprintf("ksqlDB's name for it is %s.", name)
		}
		return "SHOW FUNCTIONS lists all functions."
	}
	return ""
}

// ksqlDB's texts about unknown names.
var (
	unknownColumn   = regexp.MustCompile(`(?:column '|column reference in insert value: )([^'\n]+)'?(?: cannot be resolved|$)`)
	unknownFunction = regexp.MustCompile(`(?i)can(?:'t| not) find any (?:\w+ )?functions with the name '([^']+)'`)
)

// columnHint explains a column that there is not by the quotes around its name,
// which the parser does not keep.
func columnHint(name string) string {
	if name == strings.ToUpper(name) {
		return ""
	}
	return fmt.Sprintf("If it is text, it stands in single quotes: '%s'. If it is a name, then back-ticks or double quotes keep its case; "+
		"without them it would be %s.", name, strings.ToUpper(name))
}

// otherNames are ksqlDB's names of functions that other databases call
// differently.
var otherNames = map[string]string{
	"CARDINALITY": "ARRAY_LENGTH", "CEILING": "CEIL", "CHAR_LENGTH": "LEN", "COUNT_IF": "SUM(CASE WHEN … THEN 1 ELSE 0 END)",
	"CURRENT_TIMESTAMP": "UNIX_TIMESTAMP", "FIRST": "EARLIEST_BY_OFFSET", "GROUP_CONCAT": "COLLECT_LIST, joined by ARRAY_JOIN", "ISNULL": "IFNULL",
	"LAST": "LATEST_BY_OFFSET", "LENGTH": "LEN", "LOWER": "LCASE", "MEAN": "AVG", "NOW": "UNIX_TIMESTAMP", "NVL": "IFNULL", "POW": "POWER",
	"RAND": "RANDOM", "STDDEV": "STDDEV_SAMPLE", "STRING_AGG": "COLLECT_LIST, joined by ARRAY_JOIN", "SUBSTR": "SUBSTRING",
	"TO_CHAR": "FORMAT_TIMESTAMP", "TO_TIMESTAMP": "PARSE_TIMESTAMP", "TRUNCATE": "TRUNC", "UNNEST": "EXPLODE", "UPPER": "UCASE",
}

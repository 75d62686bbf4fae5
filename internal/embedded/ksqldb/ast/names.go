package ast

import "strings"

// reserved holds the words that can't be names unless they are quoted.
var reserved = func() map[string]bool {
	words := strings.Fields(`
		SELECT FROM AS ALL DISTINCT WHERE WITHIN WINDOW GROUP BY HAVING LIMIT AT OR AND IN NOT EXISTS
		BETWEEN LIKE IS NULL TRUE FALSE MILLISECOND YEARS MONTHS DAYS HOURS MINUTES SECONDS MILLISECONDS
		TUMBLING HOPPING SIZE ADVANCE RETENTION CASE WHEN THEN ELSE END JOIN FULL OUTER INNER LEFT RIGHT ON
		WITH VALUES CREATE TABLE TOPIC STREAM STREAMS INSERT DELETE INTO DESCRIBE EXTENDED PRINT CAST LIST
		TOPICS QUERY QUERIES TERMINATE PAUSE RESUME LOAD DROP TO RENAME SAMPLE EXPORT CATALOG PROPERTIES
		BEGINNING UNSET RUN SCRIPT DECIMAL CONNECTOR CONNECTORS NAMESPACE MATERIALIZED VIEW`)
	set := make(map[string]bool, len(words))
	for _, w := range words {
		set[w] = true
	}
	return set
}()

// IsReserved reports whether a word, in any case, can't be a name unless it is
// quoted.
func IsReserved(word string) bool { return reserved[strings.ToUpper(word)] }

// NeedsQuotes reports whether a resolved name must be quoted to be read again as
// the same name: it is not in upper case, is a reserved word, or is no plain
// identifier.
func NeedsQuotes(name string) bool {
	return !isPlain(name) || strings.ToUpper(name) != name
}

// isPlain reports whether a word is an identifier without quotes.
func isPlain(word string) bool {
	if word == "" || reserved[strings.ToUpper(word)] {
		return false
	}
	digits := 0
	for i := range len(word) {
		c := word[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case c == '@' && i > 0:
		default:
			return false
		}
	}
	return digits < len(word) && !isNumber(word)
}

// isNumber reports whether a word is digits, E and digits, which reads as a
// number.
func isNumber(word string) bool {
	before, after, ok := strings.Cut(strings.ToUpper(word), "E")
	return ok && isDigits(before) && isDigits(after)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// QuoteName returns a resolved name as it must be written, in back-ticks only
// where it needs them.
func QuoteName(name string) string {
	if !NeedsQuotes(name) {
		return name
	}
	return BackQuote(name)
}

// BackQuote returns a name in back-ticks, as ksqlDB shows it in most messages.
func BackQuote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// QuoteText returns text as a literal in single quotes.
func QuoteText(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

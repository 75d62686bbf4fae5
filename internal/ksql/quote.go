package ksql

import "strings"

// Quote returns s as a SQL string literal. A "${" in it would be read as a
// variable by a server that substitutes them, whatever the quotes: pass such
// text another way.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// Identifier returns name as a quoted SQL identifier, which keeps its case.
func Identifier(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

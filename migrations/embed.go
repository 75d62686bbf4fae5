// Package migrations holds the versioned ksqlDB statements that are the
// program's stream logic, and the file that says where their variables come
// from.
//
// A file is text that ksqlDB 7.9 takes as it is but for its ${variables}, and
// is not changed once it was released: databases keep the checksum of what was
// applied. What changes later is a new file.
package migrations

import "embed"

// FS has the migration files, V000001__name.sql and following, and
// variables.properties.
//
//go:embed V*.sql variables.properties
var FS embed.FS

package shell

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// statements are the kinds of statements, by their first words, and how they are
// written. Brackets mean that something may be left out.
var statements = map[string]string{
	"ALTER STREAM":      "ALTER STREAM name ADD COLUMN column type [, ...];",
	"ALTER SYSTEM":      "ALTER SYSTEM 'property' = 'value';",
	"ALTER TABLE":       "ALTER TABLE name ADD COLUMN column type [, ...];",
	"ASSERT SCHEMA":     "ASSERT [NOT EXISTS] SCHEMA [SUBJECT 'subject'] [ID id] [TIMEOUT n SECONDS];",
	"ASSERT TOPIC":      "ASSERT [NOT EXISTS] TOPIC name [WITH (PARTITIONS = n, REPLICAS = n)] [TIMEOUT n SECONDS];",
	"CREATE CONNECTOR":  "CREATE SOURCE|SINK CONNECTOR [IF NOT EXISTS] name WITH ('key' = 'value', ...);",
	"CREATE STREAM":     "CREATE [OR REPLACE] [SOURCE] STREAM [IF NOT EXISTS] name (column type [KEY|HEADERS], ...) WITH (KAFKA_TOPIC = '...', VALUE_FORMAT = '...', ...);\nCREATE [OR REPLACE] STREAM [IF NOT EXISTS] name [WITH (...)] AS SELECT ... [EMIT CHANGES];",
	"CREATE TABLE":      "CREATE [OR REPLACE] [SOURCE] TABLE [IF NOT EXISTS] name (column type [PRIMARY KEY], ...) WITH (KAFKA_TOPIC = '...', VALUE_FORMAT = '...', ...);\nCREATE [OR REPLACE] TABLE [IF NOT EXISTS] name [WITH (...)] AS SELECT ... GROUP BY ... [EMIT CHANGES|FINAL];",
	"CREATE TYPE":       "CREATE TYPE [IF NOT EXISTS] name AS type;",
	"DEFINE":            "DEFINE name = 'value';",
	"DESCRIBE":          "DESCRIBE source [EXTENDED];\nDESCRIBE STREAMS|TABLES [EXTENDED];",
	"DESCRIBE FUNCTION": "DESCRIBE FUNCTION name;",
	"DROP CONNECTOR":    "DROP CONNECTOR [IF EXISTS] name;",
	"DROP STREAM":       "DROP STREAM [IF EXISTS] name [DELETE TOPIC];",
	"DROP TABLE":        "DROP TABLE [IF EXISTS] name [DELETE TOPIC];",
	"DROP TYPE":         "DROP TYPE [IF EXISTS] name;",
	"EXPLAIN":           "EXPLAIN query-id;\nEXPLAIN SELECT ...;",
	"INSERT INTO":       "INSERT INTO source [(column, ...)] VALUES (value, ...);\nINSERT INTO stream [WITH (QUERY_ID = '...')] SELECT ... ;",
	"PAUSE":             "PAUSE query-id|ALL;",
	"PRINT":             "PRINT topic [FROM BEGINNING] [INTERVAL n] [LIMIT n];",
	"RESUME":            "RESUME query-id|ALL;",
	"RUN SCRIPT":        "RUN SCRIPT 'file';",
	"SELECT":            "SELECT column|expression [AS alias], ... FROM source [WINDOW ...] [JOIN source WITHIN ... ON ...] [WHERE ...] [PARTITION BY ...] [GROUP BY ...] [HAVING ...] [EMIT CHANGES|FINAL] [LIMIT n];",
	"SET":               "SET 'property' = 'value';",
	"SHOW":              "SHOW STREAMS|TABLES|QUERIES|TOPICS|TYPES|FUNCTIONS|PROPERTIES|VARIABLES|CONNECTORS|CONNECTOR PLUGINS; (LIST is the same)\nSHOW ALL TOPICS [EXTENDED]; SHOW STREAMS|TABLES|QUERIES EXTENDED;",
	"TERMINATE":         "TERMINATE query-id|ALL;",
	"UNDEFINE":          "UNDEFINE name;",
	"UNSET":             "UNSET 'property';",
}

func (s *Shell) help(_ context.Context, args []string) error {
	if len(args) > 0 {
		return s.helpFor(strings.ToUpper(strings.Join(args, " ")))
	}
	if err := s.say("Statements end with a semicolon and go to the server; these are the shell's own:"); err != nil {
		return err
	}
	names := sortedKeys(builtins)
	for _, name := range names {
		if err := s.say("  %-34s %s", builtins[name].usage, builtins[name].help); err != nil {
			return err
		}
	}
	return s.say("\nSET, UNSET, DEFINE and UNDEFINE hold for the statements after them; ${name} puts a\n" +
		"variable in. Ctrl-C ends what runs, Ctrl-D the shell, Ctrl-R searches what was typed,\n" +
		"and the tab key completes. `help` also knows:\n  " + strings.Join(sortedKeys(statements), ", "))
}

// helpFor explains the statements whose first words are the topic.
func (s *Shell) helpFor(topic string) error {
	topic = strings.ReplaceAll(topic, "LIST", "SHOW")
	found := false
	for _, name := range sortedKeys(statements) {
		if name != topic && !strings.HasPrefix(name, topic+" ") && !strings.HasPrefix(topic, name+" ") {
			continue
		}
		found = true
		if err := s.say("%s", statements[name]); err != nil {
			return err
		}
	}
	if command, ok := builtins[strings.ToLower(topic)]; ok {
		found = true
		if err := s.say("%s: %s", command.usage, command.help); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("there is no help for %s; `help` lists what there is help for", topic)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

package shell

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// keywords are offered wherever a word may stand.
var keywords = strings.Fields(`ADVANCE ALL ALTER AND ARRAY AS ASSERT BEGINNING BETWEEN BIGINT BOOLEAN BY BYTES CASE
CAST CHANGES COLUMN CONNECTOR CONNECTORS CREATE DATE DAYS DECIMAL DEFINE DELETE DESCRIBE DOUBLE DROP ELSE EMIT END
EXISTS EXPLAIN EXTENDED FALSE FINAL FROM FULL FUNCTION FUNCTIONS GRACE GROUP HAVING HEADER HEADERS HOPPING HOURS IF IN INNER
INSERT INT INTEGER INTO IS JOIN KEY LEFT LIKE LIMIT LIST MAP MILLISECONDS MINUTES NOT NULL ON OR OUTER PARTITION
PARTITIONS PAUSE PERIOD PLUGINS PRIMARY PRINT PROPERTIES QUERIES REPLACE RESUME RETENTION RIGHT RUN SCRIPT SECONDS
SELECT SESSION SET SHOW SINK SIZE SOURCE STREAM STREAMS STRING STRUCT SYSTEM TABLE TABLES TERMINATE THEN TIME
TIMESTAMP TO TOPIC TOPICS TRUE TUMBLING TYPE TYPES UNDEFINE UNSET VALUES VARCHAR VARIABLES WHEN WHERE WINDOW WITH
WITHIN`)

// catalog is what the server has, by name, as the shell last saw it.
type catalog struct {
	mu        sync.Mutex
	client    *ksql.Client
	asked     time.Time
	sources   []string
	topics    []string
	queries   []string
	functions []string
	columns   map[string][]string // by source
}

const (
	// catalogAge is how long what the server has is taken to be what it had.
	catalogAge = 10 * time.Second
	// catalogPatience is how long the tab key may take.
	catalogPatience = time.Second
)

// forget has the next completion ask the server again, which may be another one.
func (c *catalog) forget(client *ksql.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != client {
		c.client, c.functions = client, nil
	}
	c.asked, c.columns = time.Time{}, nil
}

// refresh asks the server. What it can't say is left out: completion is a help and
// no answer.
func (c *catalog) refresh(ctx context.Context, now time.Time) {
	if now.Sub(c.asked) < catalogAge {
		return
	}
	c.asked, c.columns = now, map[string][]string{}
	client := c.client
	c.sources, c.topics, c.queries = nil, nil, nil
	for _, ask := range []func(context.Context) ([]ksql.Source, error){client.ListStreams, client.ListTables} {
		if sources, err := ask(ctx); err == nil {
			for _, s := range sources {
				c.sources = append(c.sources, identifier(s.Name))
			}
		}
	}
	if topics, err := client.ListTopics(ctx); err == nil {
		for _, t := range topics {
			c.topics = append(c.topics, t.Name)
		}
	}
	if queries, err := client.ListQueries(ctx); err == nil {
		for _, q := range queries {
			c.queries = append(c.queries, q.ID)
		}
	}
	if len(c.functions) > 0 {
		return
	}
	if functions, err := client.ListFunctions(ctx); err == nil {
		for _, f := range functions {
			c.functions = append(c.functions, f.Name)
		}
	}
}

// columnsOf gives the columns of the sources that a text names.
func (c *catalog) columnsOf(ctx context.Context, text string) []string {
	var columns []string
	words := wordPattern.FindAllString(text, -1)
	for _, name := range c.sources {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, name) }) {
			continue
		}
		if _, known := c.columns[name]; !known {
			described, err := c.client.Describe(ctx, unquoted(name))
			if err != nil {
				continue
			}
			c.columns[name] = []string{}
			for _, field := range described.Fields {
				c.columns[name] = append(c.columns[name], identifier(field.Name))
			}
		}
		columns = append(columns, c.columns[name]...)
	}
	return columns
}

var (
	wordPattern = regexp.MustCompile("`(?:[^`]|``)*`|[A-Za-z_][A-Za-z0-9_]*")
	// partPattern is the word that is being typed.
	partPattern = regexp.MustCompile("[A-Za-z0-9_`.]*$")
)

var plainPattern = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// identifier is a name as a person would type it: quoted where it has to be.
func identifier(name string) string {
	if plainPattern.MatchString(name) && !slices.Contains(keywords, name) {
		return name
	}
	return ksql.Identifier(name)
}

func unquoted(identifier string) string {
	if strings.HasPrefix(identifier, "`") {
		return strings.ReplaceAll(identifier[1:len(identifier)-1], "``", "`")
	}
	return identifier
}

// complete gives the words that may go on at the end of before, where after
// follows, and the part of the word that stands there already.
func (c *catalog) complete(ctx context.Context, before, after string) (part string, words []string) {
	part = partPattern.FindString(before)
	typed := before[:len(before)-len(part)]
	// Of what stands before the last semicolon nothing counts.
	if statements, err := ksql.Split(typed); err != nil && len(statements) > 0 {
		last := statements[len(statements)-1]
		typed = typed[last.Offset+len(last.Text):]
	}
	said := wordPattern.FindAllString(strings.ToUpper(typed), -1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh(ctx, time.Now())
	var candidates []string
	switch previous := lastOf(said); {
	case len(said) == 0:
		for name := range statements {
			first, _, _ := strings.Cut(name, " ")
			candidates = append(candidates, first)
		}
		candidates = append(candidates, "LIST")
		candidates = append(candidates, sortedKeys(builtins)...)
	case previous == "FROM" && said[0] == "PRINT":
		candidates = []string{"BEGINNING"}
	case previous == "FROM" || previous == "JOIN" || previous == "INTO" || previous == "DESCRIBE" ||
		(len(said) == 2 && said[0] == "DROP" && (previous == "STREAM" || previous == "TABLE")):
		candidates = slices.Clone(c.sources)
		if previous == "DESCRIBE" {
			candidates = append(candidates, "FUNCTION", "CONNECTOR", "STREAMS", "TABLES")
		}
		if said[0] == "DROP" {
			candidates = append(candidates, "IF")
		}
	case said[0] == "DESCRIBE" && previous == "FUNCTION":
		candidates = slices.Clone(c.functions)
	case previous == "PRINT":
		candidates = slices.Clone(c.topics)
	case previous == "TERMINATE" || previous == "PAUSE" || previous == "RESUME" || previous == "EXPLAIN":
		candidates = append(slices.Clone(c.queries), "ALL", "SELECT")
	case previous == "SHOW" || previous == "LIST":
		candidates = strings.Fields("ALL CONNECTOR CONNECTORS FUNCTIONS PROPERTIES QUERIES SINK SOURCE STREAMS TABLES TOPICS TYPES VARIABLES")
	default:
		candidates = slices.Concat(c.columnsOf(ctx, typed+" "+after), c.functions, keywords, c.sources)
	}
	// A column may be named with its source before it.
	prefix := part
	if dot := strings.LastIndex(part, "."); dot >= 0 {
		candidates = c.columnsOf(ctx, part[:dot])
		if len(candidates) == 0 {
			candidates = c.columnsOf(ctx, typed+" "+after)
		}
		prefix = part[dot+1:]
	}
	for _, word := range candidates {
		if len(word) >= len(prefix) && strings.EqualFold(word[:len(prefix)], prefix) {
			words = append(words, part[:len(part)-len(prefix)]+word)
		}
	}
	slices.Sort(words)
	return part, slices.Compact(words)
}

func lastOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

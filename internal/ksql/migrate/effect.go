package migrate

import (
	"regexp"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Action is what a statement does to what it names.
type Action string

// The actions.
const (
	ActionCreate  Action = "create"
	ActionReplace Action = "replace"
	ActionAlter   Action = "alter"
	ActionDrop    Action = "drop"
	// ActionWrite is that of INSERT, with or without a query.
	ActionWrite Action = "write into"
	// ActionOther is that of statements that are none of these, such as TERMINATE.
	ActionOther Action = "run"
)

// Effect is what a statement will do, read from its text.
type Effect struct {
	Action Action `json:"action"`
	// Kind is STREAM, TABLE, TYPE, SOURCE CONNECTOR and so on; "" for ActionWrite.
	Kind string `json:"kind,omitempty"`
	// Name is that of what is created or changed, as DESCRIBE lists it; for
	// ActionOther the statement's first words.
	Name string `json:"name"`
	// Query says that a persistent query starts.
	Query bool `json:"query,omitempty"`
	// Topic says that the topic is deleted too.
	Topic bool `json:"topic,omitempty"`
}

// String returns the effect in a few words.
func (e Effect) String() string {
	words := []string{string(e.Action)}
	if e.Kind != "" {
		words = append(words, strings.ToLower(e.Kind))
	}
	words = append(words, e.Name)
	switch {
	case e.Topic:
		words = append(words, "and its topic")
	case e.Query && e.Action == ActionWrite:
		words = append(words, "by a query")
	case e.Query:
		words = append(words, "with its query")
	}
	return strings.Join(words, " ")
}

const namePart = "(`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[A-Za-z0-9_@]+)"

var (
	createEffect = regexp.MustCompile(`(?is)^CREATE\s+(OR\s+REPLACE\s+)?((?:SOURCE\s+|SINK\s+)?(?:STREAM|TABLE|TYPE|CONNECTOR))\s+(?:IF\s+NOT\s+EXISTS\s+)?` + namePart)
	alterEffect  = regexp.MustCompile(`(?is)^ALTER\s+(STREAM|TABLE)\s+` + namePart)
	dropEffect   = regexp.MustCompile(`(?is)^DROP\s+(STREAM|TABLE|TYPE|CONNECTOR)\s+(?:IF\s+EXISTS\s+)?` + namePart + `(\s+DELETE\s+TOPIC)?`)
	// conditionPart is IF [NOT] EXISTS.
	conditionPart = regexp.MustCompile(`(?is)^\s*(?:CREATE|DROP)\s+(?:(?:OR\s+REPLACE|SOURCE|SINK)\s+)*(?:STREAM|TABLE|TYPE|CONNECTOR)\s+IF\s+(?:NOT\s+)?EXISTS\b`)
	writeEffect   = regexp.MustCompile(`(?is)^INSERT\s+INTO\s+` + namePart)
	queryEffect   = regexp.MustCompile(`(?is)\bSELECT\b`)
	stringPart    = regexp.MustCompile(`'(?:[^']|'')*'`)
)

// effectOf reads a statement's effect from its text.
func effectOf(text string) Effect {
	text = strings.TrimSpace(ksql.WithoutComments(text))
	query := queryEffect.MatchString(stringPart.ReplaceAllString(text, "''"))
	if m := createEffect.FindStringSubmatch(text); m != nil {
		e := Effect{Action: ActionCreate, Kind: kindOf(m[2]), Name: nameOf(m[3])}
		e.Query = query || strings.HasPrefix(e.Kind, "SOURCE TABLE")
		if m[1] != "" {
			e.Action = ActionReplace
		}
		return e
	}
	if m := alterEffect.FindStringSubmatch(text); m != nil {
		return Effect{Action: ActionAlter, Kind: kindOf(m[1]), Name: nameOf(m[2])}
	}
	if m := dropEffect.FindStringSubmatch(text); m != nil {
		return Effect{Action: ActionDrop, Kind: kindOf(m[1]), Name: nameOf(m[2]), Topic: m[3] != ""}
	}
	if m := writeEffect.FindStringSubmatch(text); m != nil {
		return Effect{Action: ActionWrite, Name: nameOf(m[1]), Query: query}
	}
	words := strings.Fields(strings.TrimSuffix(text, ";"))
	return Effect{Action: ActionOther, Name: strings.Join(words[:min(len(words), 3)], " ")}
}

func kindOf(words string) string { return strings.ToUpper(strings.Join(strings.Fields(words), " ")) }

// nameOf returns a name as ksqlDB keeps it.
func nameOf(text string) string {
	quote := text[:1]
	if quote != "`" && quote != `"` {
		return strings.ToUpper(text)
	}
	return strings.ReplaceAll(text[1:len(text)-1], quote+quote, quote)
}

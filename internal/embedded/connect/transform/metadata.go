package transform

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func setSchemaMetadataClasses() []Class {
	return both("SetSchemaMetadata", &config.Definition{Keys: []config.Key{
		key("schema.name", config.String, config.High, "The schema's new name."),
		key("schema.version", config.Int, config.High, "The schema's new version."),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		if !s.Given("schema.name") && !s.Given("schema.version") {
			return config.Errorf("Neither schema name nor version configured")
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		t := setSchemaMetadata{side: s, name: settings.Text("schema.name")}
		if settings.Given("schema.version") {
			t.version = data.Version(int(settings.Number("schema.version")))
		}
		return t, nil
	})
}

// setSchemaMetadata gives a schema another name or version.
type setSchemaMetadata struct {
	side    side
	name    string
	version *int
}

func (t setSchemaMetadata) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if schema == nil {
		if v == nil {
			return r, nil
		}
		return nil, fault.New(fault.Data, "Schema required for [updating schema metadata]")
	}
	changed := schema.Clone()
	if t.name != "" {
		changed.Name = t.name
	}
	if t.version != nil {
		changed.Version = t.version
	}
	if st, ok := v.(*data.Struct); ok {
		v = &data.Struct{Schema: changed, Values: st.Values}
	}
	return t.side.with(r, changed, v), nil
}

func regexRouterClasses() []Class {
	return []Class{{
		Name: prefix + "RegexRouter",
		Definition: &config.Definition{Keys: []config.Key{
			checked(required(key("regex", config.String, config.High, "The pattern that the whole topic must match.")), checkRegex),
			required(key("replacement", config.String, config.High, "The new topic; $1 is what the first group matched.")),
		}},
		make: func(s config.Settings) (Transformation, error) {
			pattern, err := regexp.Compile("^(?:" + s.Text("regex") + ")$")
			return regexRouter{pattern, goReplacement(s.Text("replacement"))}, err
		},
	}}
}

func checkRegex(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	if _, err := regexp.Compile(text); err != nil {
		return config.Errorf("Invalid regex: %s", err)
	}
	return nil
}

// goReplacement writes Java's $1 and \$ in Go's way.
func goReplacement(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			if text[i] == '$' {
				b.WriteString("$$")
			} else {
				b.WriteByte(text[i])
			}
		case text[i] == '$' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			i++
			b.WriteString("${" + strconv.Itoa(int(text[i]-'0')) + "}")
		case text[i] == '$' && i+1 < len(text) && text[i+1] == '{':
			b.WriteByte('$')
		case text[i] == '$':
			b.WriteString("$$")
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// regexRouter changes the topic.
type regexRouter struct {
	pattern     *regexp.Regexp
	replacement string
}

func (t regexRouter) Apply(r *plugin.Record) (*plugin.Record, error) {
	if !t.pattern.MatchString(r.Topic) {
		return r, nil
	}
	c := *r
	c.Topic = t.pattern.ReplaceAllString(r.Topic, t.replacement)
	return &c, nil
}

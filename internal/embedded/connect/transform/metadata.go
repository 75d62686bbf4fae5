package transform

import (
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
			return config.Wholef("Neither schema name nor version configured")
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		t := setSchemaMetadata{side: s, name: settings.Text("schema.name"), replaceNull: settings.Flag(replaceNullSetting)}
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
	// replaceNull takes a field's default for a null.
	replaceNull bool
}

func (t setSchemaMetadata) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if schema == nil {
		if v == nil {
			return r, nil
		}
		return nil, fault.New(fault.Data, "Schema required for [updating schema metadata]")
	}
	if _, err := fieldsOf(schema); err != nil {
		return nil, err // the real one looks at the fields of every schema
	}
	changed := schema.Clone()
	if t.name != "" {
		changed.Name = t.name
	}
	if t.version != nil {
		changed.Version = t.version
	}
	if st, ok := v.(*data.Struct); ok {
		copied := &data.Struct{Schema: changed, Values: make([]any, len(st.Values))}
		for i := range st.Values {
			copied.Values[i] = fieldValue(st, i, t.replaceNull)
		}
		v = copied
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
			pattern, err := compilePattern(s.Text("regex"))
			return regexRouter{pattern, s.Text("replacement")}, err
		},
	}}
}

// regexRouter changes the topic.
type regexRouter struct {
	pattern     *pattern
	replacement string
}

func (t regexRouter) Apply(r *plugin.Record) (*plugin.Record, error) {
	if !t.pattern.matches(r.Topic) {
		return r, nil
	}
	topic, err := t.pattern.replaceFirst(r.Topic, t.replacement)
	if err != nil {
		return nil, err
	}
	c := *r
	c.Topic = topic
	return &c, nil
}

package connectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// The environment variables that the files of connectors/ name.
const (
	// EnvCustomersJDBCURL is the customers database as the Connect worker sees it.
	EnvCustomersJDBCURL = "ORDERFLOW_CUSTOMERS_JDBC_URL"
	// EnvSchemaRegistry is the Schema Registry as the Connect worker sees it.
	EnvSchemaRegistry = "ORDERFLOW_CONNECT_SCHEMA_REGISTRY"
	// EnvElasticsearch is Elasticsearch as the Connect worker sees it.
	EnvElasticsearch = "ORDERFLOW_CONNECT_ELASTICSEARCH"
)

// Connector is one connector as its file describes it.
type Connector struct {
	Name   string
	Config map[string]string
	// File is where it comes from.
	File string
}

// Template is one Elasticsearch index template.
type Template struct {
	Name string
	Body json.RawMessage
}

// Definition is what the folder says.
type Definition struct {
	Connectors []Connector
	Templates  []Template
}

var reference = regexp.MustCompile(`\$\{env:([^}]*)\}`)

// Load reads the connector files of a folder (*.json) and the index templates in its
// elasticsearch folder. lookup gives the values for ${env:NAME}; a name without a
// value is an error that tells the file and the setting.
func Load(fsys fs.FS, lookup func(string) (string, bool)) (Definition, error) {
	var def Definition
	files, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return def, fmt.Errorf("listing connector files: %w", err)
	}
	if len(files) == 0 {
		return def, errors.New("listing connector files: there are none; a connector is a file NAME.json")
	}
	byName := map[string]string{}
	for _, file := range files {
		c, err := readConnector(fsys, file, lookup)
		if err != nil {
			return Definition{}, fmt.Errorf("reading %s: %w", file, err)
		}
		if other, ok := byName[c.Name]; ok {
			return Definition{}, fmt.Errorf("reading %s: the connector %q is also in %s; give one of them another name", file, c.Name, other)
		}
		byName[c.Name] = file
		def.Connectors = append(def.Connectors, c)
	}
	templates, err := fs.Glob(fsys, "elasticsearch/*.json")
	if err != nil {
		return Definition{}, fmt.Errorf("listing index templates: %w", err)
	}
	for _, file := range templates {
		body, err := fs.ReadFile(fsys, file)
		if err != nil {
			return Definition{}, fmt.Errorf("reading %s: %w", file, err)
		}
		if !json.Valid(body) {
			return Definition{}, fmt.Errorf("reading %s: it is not JSON", file)
		}
		def.Templates = append(def.Templates, Template{Name: strings.TrimSuffix(path.Base(file), ".json"), Body: body})
	}
	return def, nil
}

func readConnector(fsys fs.FS, file string, lookup func(string) (string, bool)) (Connector, error) {
	raw, err := fs.ReadFile(fsys, file)
	if err != nil {
		return Connector{}, err
	}
	var content struct {
		Name   string                     `json:"name"`
		Config map[string]json.RawMessage `json:"config"`
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&content); err != nil {
		return Connector{}, fmt.Errorf("it is not {\"name\": …, \"config\": {…}}: %w", err)
	}
	if content.Name == "" || len(content.Config) == 0 {
		return Connector{}, errors.New("it is not {\"name\": …, \"config\": {…}}: a part is missing")
	}
	c := Connector{Name: content.Name, File: file, Config: map[string]string{"name": content.Name}}
	var errs []error
	for key, value := range content.Config {
		var text string
		switch {
		case value[0] == '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return Connector{}, err
			}
		case value[0] == '{' || value[0] == '[' || string(value) == "null":
			errs = append(errs, fmt.Errorf("the setting %s is %s: it must be a text, a number or a boolean", key, value))
			continue
		default:
			text = string(value)
		}
		text, err := substitute(text, lookup)
		if err != nil {
			errs = append(errs, fmt.Errorf("the setting %s: %w", key, err))
			continue
		}
		c.Config[key] = text
	}
	if c.Config["name"] != c.Name {
		errs = append(errs, fmt.Errorf("the setting name is %q, the connector's name is %q", c.Config["name"], c.Name))
	}
	return c, errors.Join(errs...)
}

// substitute puts the values of variables in. A backslash or a dollar sign in a
// value stays what it is.
func substitute(text string, lookup func(string) (string, bool)) (string, error) {
	var errs []error
	result := reference.ReplaceAllStringFunc(text, func(match string) string {
		name := reference.FindStringSubmatch(match)[1]
		value, ok := lookup(name)
		if !ok {
			errs = append(errs, fmt.Errorf("the variable %s is not set", name))
		}
		return value
	})
	return result, errors.Join(errs...)
}

// WithDefaults looks names up in an environment, and then among defaults. An empty
// value counts as not set.
func WithDefaults(environment func(string) (string, bool), defaults map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if value, ok := environment(name); ok && value != "" {
			return value, true
		}
		value, ok := defaults[name]
		return value, ok
	}
}

package migrate

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ProjectFile is the name that ksql-migrations gives to a project's properties.
const ProjectFile = "ksql-migrations.properties"

// Project is what the properties of a ksql-migrations project say.
type Project struct {
	// URL is the ksqlDB server's.
	URL string
	// Dir is the folder of the migration files.
	Dir                string
	Metadata           Metadata
	Username, Password string
}

// projectProperties are the properties that a Project may have, and what takes
// them in.
var projectProperties = map[string]func(p *Project, value string) error{
	"ksql.server.url":             func(p *Project, value string) error { p.URL = value; return nil },
	"ksql.migrations.stream.name": func(p *Project, value string) error { p.Metadata.Stream = value; return nil },
	"ksql.migrations.table.name":  func(p *Project, value string) error { p.Metadata.Table = value; return nil },
	"ksql.migrations.stream.topic.name": func(p *Project, value string) error {
		p.Metadata.StreamTopic = value
		return nil
	},
	"ksql.migrations.table.topic.name": func(p *Project, value string) error {
		p.Metadata.TableTopic = value
		return nil
	},
	"ksql.migrations.topic.replicas": func(p *Project, value string) error {
		replicas, err := strconv.Atoi(value)
		if err != nil || replicas < 1 {
			return errors.New("it must be a number from 1")
		}
		p.Metadata.Replicas = replicas
		return nil
	},
	"ksql.migrations.dir.override": func(p *Project, value string) error { p.Dir = value; return nil },
	"ksql.auth.basic.username":     func(p *Project, value string) error { p.Username = value; return nil },
	"ksql.auth.basic.password":     func(p *Project, value string) error { p.Password = value; return nil },
	"ssl.alpn":                     func(*Project, string) error { return nil }, // HTTP/2 is always offered
	"ssl.verify.host": func(_ *Project, value string) error {
		if value != "true" {
			return errors.New("the name in the server's certificate is always checked: reach the server by that name")
		}
		return nil
	},
	"ssl.truststore.location": javaStore("--tls-ca FILE"),
	"ssl.truststore.password": javaStore("--tls-ca FILE"),
	"ssl.keystore.location":   javaStore("--tls-cert FILE --tls-key FILE"),
	"ssl.keystore.password":   javaStore("--tls-cert FILE --tls-key FILE"),
	"ssl.key.password":        javaStore("--tls-cert FILE --tls-key FILE"),
	"ssl.key.alias":           javaStore("--tls-cert FILE --tls-key FILE"),
}

func javaStore(flags string) func(*Project, string) error {
	return func(*Project, string) error {
		return fmt.Errorf("key stores of Java are not read: export what it holds as PEM (keytool -exportcert -rfc, or openssl pkcs12) and give it by %s", flags)
	}
}

// LoadProject reads the properties of a ksql-migrations project. Its migration
// files are in the folder "migrations" beside them unless they say otherwise.
func LoadProject(path string) (Project, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Project{}, fmt.Errorf("reading the project's properties: %w", err)
	}
	project := Project{Dir: filepath.Join(filepath.Dir(path), "migrations")}
	values, err := ParseProperties(string(text))
	if err != nil {
		return Project{}, fmt.Errorf("reading %s: %w", path, err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		take, known := projectProperties[name]
		switch value := values[name]; {
		case !known:
			errs = append(errs, fmt.Errorf("%s: there is no property of that name", name))
		case value == "":
		default:
			if err := take(&project, value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if project.URL == "" {
		errs = append(errs, errors.New("ksql.server.url is missing: it is the address of the ksqlDB server"))
	}
	if len(errs) > 0 {
		return Project{}, fmt.Errorf("reading %s: %w", path, errors.Join(errs...))
	}
	return project, nil
}

// ParseProperties reads name=value (or name: value) lines; blank ones and those
// that begin with # or ! are left out.
func ParseProperties(text string) (map[string]string, error) {
	values := map[string]string{}
	scanner := bufio.NewScanner(strings.NewReader(text))
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(strings.TrimPrefix(scanner.Text(), "\ufeff"))
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		end := strings.IndexAny(line, "=:")
		if end < 1 {
			return nil, fmt.Errorf("line %d: expected name=value, found %q", number, line)
		}
		values[strings.TrimSpace(line[:end])] = strings.TrimSpace(line[end+1:])
	}
	return values, scanner.Err()
}

const projectTemplate = `ksql.server.url=%s

# Names of what keeps the states of the migrations, and their topics:
# ksql.migrations.stream.name=MIGRATION_EVENTS
# ksql.migrations.table.name=MIGRATION_SCHEMA_VERSIONS
# ksql.migrations.stream.topic.name=<service id>ksql_MIGRATION_EVENTS
# ksql.migrations.table.topic.name=<service id>ksql_MIGRATION_SCHEMA_VERSIONS
# ksql.migrations.topic.replicas=1

# Who the server knows us as:
# ksql.auth.basic.username=
# ksql.auth.basic.password=

# Where the migration files are, if not in the folder migrations beside this file:
# ksql.migrations.dir.override=
`

// NewProject makes the folder of a ksql-migrations project, with its properties
// and an empty folder of migrations, and returns what it made. Files that exist
// are an error; the folders may.
func NewProject(dir, url string) ([]string, error) {
	properties := filepath.Join(dir, ProjectFile)
	if _, err := os.Stat(properties); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("making a project: %s exists already", properties)
	}
	var made []string
	for _, folder := range []string{dir, filepath.Join(dir, "migrations")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return made, fmt.Errorf("making a project: %w", err)
		}
		made = append(made, folder)
	}
	if err := os.WriteFile(properties, fmt.Appendf(nil, projectTemplate, url), 0o644); err != nil {
		return made, fmt.Errorf("making a project: %w", err)
	}
	return append(made, properties), nil
}

package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	compose "github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

func composeProject(t *testing.T) *compose.Project {
	t.Helper()
	path := filepath.Join(root, "docker-compose.yml")
	body, err := os.ReadFile(path)
	require.NoError(t, err)
	project, err := loader.LoadWithContext(t.Context(), compose.ConfigDetails{
		WorkingDir:  root,
		ConfigFiles: []compose.ConfigFile{{Filename: path, Content: body}},
	}, func(o *loader.Options) { o.SetProjectName("orderflow", true) })
	require.NoError(t, err, "docker-compose.yml does not follow the compose schema")
	return project
}

// Each image turns its environment into server settings by a rule of its own.
var settingOf = map[string]func(variable string) string{
	"kafka":           prefixed("KAFKA_"),
	"schema-registry": prefixed("SCHEMA_REGISTRY_"),
	"connect":         prefixed("CONNECT_"),
	"ksqldb":          prefixed("KSQL_"),
	"elasticsearch":   func(v string) string { return v },
	"kibana":          func(v string) string { return dotted(v) },
}

func prefixed(prefix string) func(string) string {
	return func(variable string) string {
		rest, ok := strings.CutPrefix(variable, prefix)
		if !ok {
			return ""
		}
		return dotted(rest)
	}
}

func dotted(variable string) string {
	return strings.ReplaceAll(strings.ToLower(variable), "_", ".")
}

func TestComposeVariablesAreKnownToTheServers(t *testing.T) {
	body, err := os.ReadFile("testdata/known-settings.txt")
	require.NoError(t, err)
	settings, variables := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(string(body)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "#"):
		case len(fields) == 3 && fields[1] == "env":
			variables[fields[0]+" "+fields[2]] = true
		default:
			require.Len(t, fields, 2, line)
			settings[fields[0]+" "+fields[1]] = true
		}
	}
	for name, service := range composeProject(t).Services {
		translate, ok := settingOf[name]
		require.True(t, ok, "docker-compose.yml has a service %s whose settings nobody checks", name)
		for variable := range service.Environment {
			if variables[name+" "+variable] {
				continue
			}
			setting := translate(variable)
			if setting == "" || !settings[name+" "+setting] {
				t.Errorf("%s: variable %s (setting %q) is none that the server knows", name, variable, setting)
			}
		}
	}
}

func TestComposeServicesArePinnedAndWatched(t *testing.T) {
	version := regexp.MustCompile(`:\d+\.\d+\.\d+$`)
	project := composeProject(t)
	for name, service := range project.Services {
		require.Regexp(t, version, service.Image, "%s: the image's version must be exact", name)
		require.NotNil(t, service.HealthCheck, "%s has no health check", name)
		require.NotContains(t, service.Image, "zookeeper")
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s publishes a port beyond this machine", name)
		}
	}
	ksqldb := project.Services["ksqldb"].Environment
	require.Equal(t, "exactly_once_v2", *ksqldb["KSQL_KSQL_STREAMS_PROCESSING_GUARANTEE"])
	require.Equal(t, "true", *ksqldb["KSQL_KSQL_SCHEMA_REGISTRY_ENHANCED_AVRO_SCHEMA_SUPPORT"])
}

package migrate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func TestANewProjectCanBeLoaded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "proj")
	made, err := migrate.NewProject(dir, "http://localhost:8088")
	require.NoError(t, err)
	properties := filepath.Join(dir, migrate.ProjectFile)
	assert.Equal(t, []string{dir, filepath.Join(dir, "migrations"), properties}, made)
	project, err := migrate.LoadProject(properties)
	require.NoError(t, err)
	assert.Equal(t, migrate.Project{URL: "http://localhost:8088", Dir: filepath.Join(dir, "migrations")}, project)
	_, err = migrate.NewProject(dir, "http://localhost:8088")
	require.ErrorContains(t, err, "exists already")
}

func TestLoadProject(t *testing.T) {
	tests := []struct {
		name, text string
		want       migrate.Project
		wantErr    string
	}{
		{"all", `
# a comment
! another
ksql.server.url = https://k:8088
ksql.migrations.stream.name=ev
ksql.migrations.table.name: ver
ksql.migrations.stream.topic.name=et
ksql.migrations.table.topic.name=vt
ksql.migrations.topic.replicas=3
ksql.migrations.dir.override=/elsewhere
ksql.auth.basic.username=ann
ksql.auth.basic.password=a=b
ssl.truststore.location=
ssl.alpn=false
ssl.verify.host=true
`, migrate.Project{URL: "https://k:8088", Dir: "/elsewhere", Username: "ann", Password: "a=b",
			Metadata: migrate.Metadata{Stream: "ev", Table: "ver", StreamTopic: "et", TableTopic: "vt", Replicas: 3}}, ""},
		{"no address", "ksql.migrations.stream.name=x", migrate.Project{}, "ksql.server.url is missing"},
		{"no number", "ksql.server.url=x\nksql.migrations.topic.replicas=many", migrate.Project{}, "ksql.migrations.topic.replicas: it must be a number"},
		{"key store", "ksql.server.url=x\nssl.truststore.location=t.jks", migrate.Project{}, "ssl.truststore.location: key stores of Java are not read"},
		{"any host", "ksql.server.url=x\nssl.verify.host=false", migrate.Project{}, "is always checked"},
		{"unknown", "ksql.server.url=x\nksql.nope=1", migrate.Project{}, "ksql.nope: there is no property of that name"},
		{"no property", "ksql.server.url=x\nnope", migrate.Project{}, `line 2: expected name=value, found "nope"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), migrate.ProjectFile)
			require.NoError(t, os.WriteFile(path, []byte(test.text), 0o600))
			project, err := migrate.LoadProject(path)
			if test.wantErr != "" {
				require.ErrorContains(t, err, test.wantErr)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, project)
		})
	}
	_, err := migrate.LoadProject("no/such.properties")
	require.ErrorContains(t, err, "no such file")
}

package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// Jars fetches Maven artifacts ("group:artifact:version") with all that they need
// at run time and returns the folder with the jars.
func Jars(t testing.TB, artifacts ...string) string {
	t.Helper()
	return fetched(t, "jars", artifacts, func(dir string) {
		var deps strings.Builder
		for _, artifact := range artifacts {
			parts := strings.Split(artifact, ":")
			require.Len(t, parts, 3, "a Maven artifact is group:artifact:version")
			fmt.Fprintf(&deps, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n", parts[0], parts[1], parts[2])
		}
		pom := `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>peers</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
` + deps.String() + `</dependencies></project>
`
		require.NoError(t, os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o644))
		// Maven's local repository is not made for several at once.
		lock := flock.New(filepath.Join(Cache(t), "m2.lock"))
		require.NoError(t, lock.Lock())
		defer func() { require.NoError(t, lock.Unlock()) }()
		run(t, dir, "mvn", "-q", "-B", "-Dmaven.repo.local="+filepath.Join(Cache(t), "m2"),
			"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir)
	})
}

// Classpath is the folder of Jars as a Java class path.
func Classpath(jars string) string { return filepath.Join(jars, "*") }

package peers

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// javaTimeout bounds a program of RunJava.
const javaTimeout = 2 * time.Minute

// RunJava runs a Java program of one source file with the classes of Maven artifacts
// ("group:artifact:version"), gives it its input and returns what it printed. A
// program that fails fails the test with what it wrote to its error output.
func RunJava(t testing.TB, source string, input []byte, artifacts ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Main.java")
	require.NoError(t, os.WriteFile(file, []byte(source), 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), javaTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", Classpath(Jars(t, artifacts...)), file)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errs
	require.NoError(t, cmd.Run(), "running a Java program:\n%s", tail(errs.Bytes()))
	return out.Bytes()
}

package connect_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/elasticsearch"
	"github.com/orderflow/orderflow/internal/embedded/connect/jdbc"
)

// literals gives the texts that stand in the statements of a package; those of
// definitions don't count.
func literals(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "definition.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					found[text] = true
				}
			}
			return true
		})
	}
	return found
}

// TestEverySettingIsHonouredOrRefused keeps a setting from being accepted and then
// forgotten.
func TestEverySettingIsHonouredOrRefused(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/connectors.md")
	require.NoError(t, err)
	text := string(raw)
	for dir, def := range map[string]*config.Definition{"jdbc": jdbc.Connector{}.Definition(), "elasticsearch": elasticsearch.Connector{}.Definition()} {
		read := literals(t, dir)
		for _, key := range def.Keys {
			oneMeaning := key.Name == "dialect.name" // its check refuses all others
			assert.True(t, key.Unsupported || read[key.Name] || oneMeaning, "%s accepts %s, but nothing reads it", dir, key.Name)
			family := key.Name
			if i := strings.Index(family, ".ssl."); i >= 0 {
				family = family[:i+5] + "*"
			}
			assert.Contains(t, text, "`"+family+"`", "docs/connectors.md says nothing of %s", key.Name)
		}
	}
}

package architecture

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root     = "../.."
	module   = "github.com/orderflow/orderflow/"
	maxLines = 800
)

type sourceFile struct {
	path string // slash-separated, from the repository's root
	dir  string
	test bool
	body []byte
	ast  *ast.File
}

func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "data" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fset, path, body, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files = append(files, sourceFile{
			path: rel, dir: filepath.ToSlash(filepath.Dir(rel)),
			test: strings.HasSuffix(name, "_test.go"), body: body, ast: parsed,
		})
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func imports(t *testing.T, f sourceFile) []string {
	t.Helper()
	var own []string
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if rest, ok := strings.CutPrefix(path, module); ok {
			own = append(own, rest)
		}
	}
	return own
}

func within(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}

// Services, clients and tools know the five protocols only. The embedded
// servers know each other's protocols and no service; only cmd brings both
// together.
var services = []string{
	"internal/order", "internal/api", "internal/inventory", "internal/email",
	"internal/populate", "internal/customers", "internal/ksql", "internal/connectors", "internal/search", "internal/indexcheck",
	"internal/kafka", "internal/topics", "internal/config", "internal/telemetry", "internal/bench",
}

func TestServicesAndEmbeddedServersDoNotImportEachOther(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, imported := range imports(t, f) {
			for _, service := range services {
				if within(f.dir, service) && (within(imported, "internal/embedded") || within(imported, "internal/rehearsal")) {
					t.Errorf("%s imports %s: a service reaches a server by its protocol only", f.path, imported)
				}
				if within(f.dir, "internal/embedded") && within(imported, service) {
					t.Errorf("%s imports %s: an embedded server never imports a service", f.path, imported)
				}
			}
			if within(imported, "cmd") {
				t.Errorf("%s imports %s: nothing imports cmd", f.path, imported)
			}
		}
	}
}

// What is made for tests alone stays out of the product.
var testTools = []string{
	"internal/embeddedtest", "internal/kafka/kafkatest", "internal/credentials/credentialstest", "internal/peers", "internal/recordings",
	"internal/simulation", "internal/embedded/broker/requesttest", "internal/embedded/broker/disk/disktest", "internal/embedded/broker/batch/batchtest",
}

func TestTheProductDoesWithoutTestTools(t *testing.T) {
	for _, f := range sources(t) {
		tool := slices.ContainsFunc(testTools, func(dir string) bool { return within(f.dir, dir) })
		if f.test || tool {
			continue
		}
		for _, imported := range imports(t, f) {
			for _, dir := range testTools {
				if within(imported, dir) {
					t.Errorf("%s imports %s, which is for tests", f.path, imported)
				}
			}
		}
	}
}

// The layers of the embedded ksqlDB, lowest first. A package imports only
// packages of lower layers, or those listed beside it.
var engineLayers = [][]string{
	{"types"},
	{"timefmt"},
	{"ast", "function", "format", "state", "tail"},
	{"parser", "expr", "plan"},
	{"catalog", "explain"},
	{"analyze", "exec"},
	{"build", "task"},
	{"runtime"},
	{"engine"},
	{"server"},
}

func TestEngineImportsDownwards(t *testing.T) {
	const engine = "internal/embedded/ksqldb/"
	layer := map[string]int{}
	for i, names := range engineLayers {
		for _, name := range names {
			layer[name] = i
		}
	}
	for _, f := range sources(t) {
		dir, ok := strings.CutPrefix(f.dir, engine)
		if f.test || !ok {
			continue
		}
		own, _, _ := strings.Cut(dir, "/")
		ownLayer, known := layer[own]
		if !known {
			continue
		}
		for _, imported := range imports(t, f) {
			rest, ok := strings.CutPrefix(imported, engine)
			if !ok {
				continue
			}
			other, _, _ := strings.Cut(rest, "/")
			if other == own {
				continue
			}
			otherLayer, known := layer[other]
			if !known {
				t.Errorf("%s imports %s, which has no layer", f.path, imported)
				continue
			}
			if otherLayer >= ownLayer {
				t.Errorf("%s imports %s: the engine imports downwards only", f.path, imported)
			}
		}
	}
}

func TestEveryPackageSaysItsJob(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		documented[f.dir] = documented[f.dir] || f.ast.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func TestFilesStayReadable(t *testing.T) {
	for _, f := range sources(t) {
		if lines := bytes.Count(f.body, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines; split it by job (at most %d)", f.path, lines, maxLines)
		}
	}
}

func TestPanicIsNotFlow(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "panic" {
				t.Errorf("%s panics; return an error", f.path)
			}
			return true
		})
	}
}

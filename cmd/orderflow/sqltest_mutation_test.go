package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/ksql/testrun"
)

// mutationsEnv runs all mutations rather than a few.
const mutationsEnv = "ORDERFLOW_MUTATIONS"

// equivalent are mutations that no test can notice, with the reason.
var equivalent = map[string]string{
	`V000004__fraud_check.sql line 13:28: ">=" in place of ">"`:                                   "an order of 0 units adds 0",
	`V000004__fraud_check.sql line 13:30: "-1" in place of "0"`:                                   "an order of 0 units adds 0",
	`V000004__fraud_check.sql line 13:42: ">" in place of ">="`:                                   "an order at the price 0 adds 0",
	`V000004__fraud_check.sql line 13:74: "NULL" in place of "CAST(0 AS DOUBLE)"`:                 "SUM begins at 0 and takes NULL for nothing",
	`V000004__fraud_check.sql line 29:9: "TRUE" in place of "orderid IS NOT NULL"`:                "a deletion is no row: no condition lets it pass, but there has to be one",
	`V000005__validation_aggregation.sql line 37:48: "NULL" in place of "0"`:                      "SUM begins at 0 and takes NULL for nothing",
	`V000005__validation_aggregation.sql line 38:56: "NULL" in place of "0"`:                      "SUM begins at 0 and takes NULL for nothing",
	`V000005__validation_aggregation.sql line 39:52: "NULL" in place of "0"`:                      "SUM begins at 0 and takes NULL for nothing",
	`V000005__validation_aggregation.sql line 40:60: "NULL" in place of "0"`:                      "SUM begins at 0 and takes NULL for nothing",
	`V000005__validation_aggregation.sql line 53:15: "FALSE" in place of "last_kind = 'CREATED'"`: "where the order comes last, the last of the conditions below decides, which asks for no result",
	`V000010__order_states.sql line 13:5: "LATEST_BY_OFFSET" in place of "EARLIEST_BY_OFFSET"`:    "all records of a key have the same id",
	`V000010__order_states.sql line 15:14: "LATEST_BY_OFFSET" in place of "EARLIEST_BY_OFFSET"`:   "there is one value only, SHIPPED",
}

// mutation is one change to a file of SQL.
type mutation struct {
	file         string
	line, column int
	edit
	was string
}

func (m mutation) String() string {
	change := "without " + strconv.Quote(m.was)
	if m.text != "" {
		change = fmt.Sprintf("%q in place of %q", m.text, m.was)
	}
	return fmt.Sprintf("%s line %d:%d: %s", m.file, m.line, m.column, change)
}

var placeholder = regexp.MustCompile(`\$\{[^}]*\}`)

// mutationsOf changes the conditions, cases, joins, windows and keys of a file, one at
// a time.
func mutationsOf(file, text string) ([]mutation, error) {
	// A number of the same length stands for a variable, so that places stay.
	filled := placeholder.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("0", len(s)-1) + "1" })
	statements, err := parser.Parse(filled)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	m := &mutator{file: file, text: text}
	for _, statement := range statements {
		ast.Walk(statement, func(n ast.Node) bool {
			m.node(n)
			return true
		})
	}
	return m.found, nil
}

type mutator struct {
	file, text string
	found      []mutation
}

// replace adds the mutations of a part of the text; "" takes it out.
func (m *mutator) replace(from, to ast.Position, with ...string) {
	for _, text := range with {
		added := mutation{m.file, from.Line, from.Column, edit{from.Offset, to.Offset, text}, m.text[from.Offset:to.Offset]}
		if !slices.Contains(m.found, added) {
			m.found = append(m.found, added)
		}
	}
}

var comparisons = map[string][]string{"=": {"<>"}, "<>": {"="}, "<": {"<=", ">="}, "<=": {"<", ">"}, ">": {">=", "<="}, ">=": {">", "<"}}

func (m *mutator) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.Query:
		m.query(n)
	case *ast.Comparison:
		end := n.OpPos
		end.Offset += len(n.Op.String())
		m.replace(n.OpPos, end, comparisons[n.Op.String()]...)
		if number, ok := n.Right.(*ast.IntegerLiteral); ok {
			m.replace(number.Pos(), number.End(), fmt.Sprint(number.Value-1), fmt.Sprint(number.Value+1))
		}
	case *ast.Logical:
		neutral := map[ast.LogicalOp]string{ast.And: "TRUE", ast.Or: "FALSE"}[n.Op]
		m.replace(n.Left.Pos(), n.Left.End(), neutral)
		m.replace(n.Right.Pos(), n.Right.End(), neutral)
	case *ast.IsNull:
		m.replace(n.Pos(), n.End(), "TRUE", "FALSE")
	case *ast.In:
		for _, value := range n.Values {
			m.replace(value.Pos(), value.End(), "'none of them'")
		}
	case *ast.SearchedCase:
		for _, when := range n.Whens {
			m.replace(when.Condition.Pos(), when.Condition.End(), "FALSE")
		}
		if n.Else != nil {
			m.replace(n.Else.Pos(), n.Else.End(), "NULL")
		}
	case *ast.FunctionCall:
		end := n.Name.End()
		switch strings.ToUpper(n.Name.Name) {
		case "EARLIEST_BY_OFFSET":
			m.replace(n.Pos(), end, "LATEST_BY_OFFSET")
		case "LATEST_BY_OFFSET":
			m.replace(n.Pos(), end, "EARLIEST_BY_OFFSET")
		}
	case *ast.Join:
		m.join(n)
	case *ast.Window:
		m.duration(n.Size)
		for _, d := range []*ast.Duration{n.Advance, n.Grace} {
			if d != nil {
				m.duration(*d)
			}
		}
		if n.Grace == nil {
			last := n.Size.End()
			m.replace(last, last, ", GRACE PERIOD 0 SECONDS")
		}
	}
}

func (m *mutator) query(q *ast.Query) {
	m.clause(q.Where, "WHERE")
	m.clause(q.Having, "HAVING")
	if q.PartitionBy != nil {
		m.replace(q.PartitionBy.Pos(), q.PartitionBy.End(), "")
	}
	if q.GroupBy != nil && len(q.GroupBy.Exprs) > 1 {
		for i, e := range q.GroupBy.Exprs {
			if i > 0 {
				m.replace(q.GroupBy.Exprs[i-1].End(), e.End(), "")
			}
		}
	}
}

// place gives line and column of an offset.
func (m *mutator) place(offset int) (line, column int) {
	before := m.text[:offset]
	return 1 + strings.Count(before, "\n"), offset - strings.LastIndex(before, "\n")
}

// clause takes a condition out together with its keyword.
func (m *mutator) clause(condition ast.Expr, keyword string) {
	if condition == nil {
		return
	}
	from := condition.Pos()
	from.Offset = strings.LastIndex(m.text[:from.Offset], keyword)
	from.Line, from.Column = m.place(from.Offset)
	m.replace(from, condition.End(), "")
}

var joinKind = regexp.MustCompile(`(?i)(LEFT|INNER)( OUTER)? JOIN`)

func (m *mutator) join(j *ast.Join) {
	from, to := j.Left.End(), j.Right.Pos()
	if at := joinKind.FindStringIndex(m.text[from.Offset:to.Offset]); at != nil {
		to.Offset, from.Offset = from.Offset+at[1], from.Offset+at[0]
		from.Line, from.Column = m.place(from.Offset)
		other := "LEFT JOIN"
		if j.Type == ast.LeftJoin {
			other = "INNER JOIN"
		}
		m.replace(from, to, other)
	}
	if j.Within != nil {
		m.duration(j.Within.Before)
		if j.Within.Grace != nil {
			m.duration(*j.Within.Grace)
		}
	}
}

// duration makes a length of time a millisecond shorter and longer.
func (m *mutator) duration(d ast.Duration) {
	m.replace(d.Pos(), d.End(), fmt.Sprintf("%d MILLISECONDS", d.Millis()-1), fmt.Sprintf("%d MILLISECONDS", d.Millis()+1))
}

// mutationRun runs the tests of changed migrations.
type mutationRun struct {
	t      *testing.T
	runner *testrun.Runner
	folder fs.FS
	tests  []string
}

// noticed reports whether a test fails by a mutation. Those of the same name as the
// file come first.
func (r *mutationRun) noticed(ctx context.Context, m mutation) (bool, error) {
	dir, err := os.MkdirTemp(r.t.TempDir(), "")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, r.folder); err != nil {
		return false, err
	}
	path := filepath.Join(dir, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	changed := string(text[:m.from]) + m.text + string(text[m.to:])
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		return false, err
	}
	_, name, _ := strings.Cut(m.file, "__")
	tests := slices.Clone(r.tests)
	slices.SortStableFunc(tests, func(a, b string) int {
		return strings.Compare(fmt.Sprint(a != name), fmt.Sprint(b != name))
	})
	for _, test := range tests {
		results, err := r.runner.RunFile(ctx, filepath.Join(dir, "tests", test))
		if err != nil {
			return false, err
		}
		if testrun.Failed(results) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// TestTheTestsOfTheMigrationsNoticeEveryChange changes the SQL in one place at a time:
// at least one test has to fail by it. It tries one of each forty mutations, or all when
// ORDERFLOW_MUTATIONS is "all".
func TestTheTestsOfTheMigrationsNoticeEveryChange(t *testing.T) {
	definition, err := testDefinition("", false)
	require.NoError(t, err)
	runner, err := testrun.New(testrun.Config{NewEngine: func(context.Context) (testrun.Engine, error) { return newTestEngine(definition) }})
	require.NoError(t, err)
	r := &mutationRun{t: t, runner: runner, folder: os.DirFS("../../migrations")}
	r.tests, err = fs.Glob(r.folder, "tests/*.sql")
	require.NoError(t, err)
	for i := range r.tests {
		r.tests[i] = filepath.Base(r.tests[i])
	}
	files, err := fs.Glob(r.folder, "V*.sql")
	require.NoError(t, err)
	var all []mutation
	for _, file := range files {
		text, err := fs.ReadFile(r.folder, file)
		require.NoError(t, err)
		found, err := mutationsOf(file, string(text))
		require.NoError(t, err)
		all = append(all, found...)
	}
	require.NotEmpty(t, all)
	step := 40
	if os.Getenv(mutationsEnv) == "all" {
		step = 1
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(runtime.GOMAXPROCS(0))
	var tried, unnoticed atomic.Int32
	for i := 0; i < len(all); i += step {
		if _, known := equivalent[all[i].String()]; known && step > 1 {
			continue // it takes all tests
		}
		group.Go(func() error {
			m := all[i]
			tried.Add(1)
			noticed, err := r.noticed(ctx, m)
			if err != nil {
				return fmt.Errorf("%s: %w", m, err)
			}
			reason, known := equivalent[m.String()]
			if !noticed {
				unnoticed.Add(1)
			}
			assert.True(t, noticed || known, "no test notices: %s", m)
			assert.False(t, noticed && known, "a test notices a mutation of which it is said that %s: %s", reason, m)
			return nil
		})
	}
	require.NoError(t, group.Wait())
	t.Logf("%d of %d mutations tried, %d not noticed and known", tried.Load(), len(all), unnoticed.Load())
}

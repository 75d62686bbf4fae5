package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// QueryKind tells the queries that end at a client apart.
type QueryKind uint8

// The kinds of query.
const (
	// PushQuery gives changes until it is closed or its LIMIT is reached.
	PushQuery QueryKind = iota + 1
	// StreamPullQuery gives what a stream held when the query began.
	StreamPullQuery
	// TablePullQuery gives rows of a table as they stand.
	TablePullQuery
	// PrintQuery gives the records of a topic as text.
	PrintQuery
)

// Column is a column of a query's answer.
type Column struct {
	Name string
	Type *types.Type
	// Key marks key columns and window bounds of pull queries on tables.
	Key bool
	// Header marks header columns of pull queries on tables: "*" for all headers,
	// "=" and the key for one of them.
	Header string
}

// Query is a SELECT or PRINT that is ready to run, once.
type Query struct {
	ID      string
	Kind    QueryKind
	Columns []Column

	engine     *Engine
	text       string // of the statement
	properties map[string]string
	transient  *analyze.TransientQuery
	pull       *tablePull
	print      *ast.PrintTopic
}

// Row is a row of an answer: the columns' values in order. A Tombstone tells
// that the row of a table was deleted; columns that are not part of its key are
// null then. The values may be kept, the slice is valid until the receiver
// returns.
type Row struct {
	Values    []types.Value
	Tombstone bool
}

// Receiver takes a query's answer. Begin is called once, when every record
// written from now on will be part of a push query's answer; an error of either
// function ends the query and is returned by Run.
type Receiver struct {
	Begin func() error
	Row   func(Row) error
	// Print takes the output of a PrintQuery in place of Row.
	Print func(text string) error
}

// End says why a query ended.
type End uint8

// The reasons.
const (
	// Completed is the end of the data, or a query that was closed.
	Completed End = iota + 1
	// LimitReached is the end of a query with LIMIT.
	LimitReached
)

// errStatement marks errors found before ksqlDB has looked at a query's sources;
// its answers repeat the statement behind them.
var errStatement = errors.New("not a query that can be prepared")

// QuotesStatement reports whether ksqlDB's query end points repeat the statement
// behind the message of the error.
func (e *Error) QuotesStatement() bool {
	var syntax *parser.Error
	return errors.Is(e.cause, errStatement) || errors.As(e.cause, &syntax) ||
		strings.Contains(e.Message, "\nStatement: ") && !strings.HasSuffix(e.Message, "\nStatement: "+e.Statement)
}

// Prepare makes a query of the one SELECT or PRINT of a request. The error is an
// *Error.
func (e *Engine) Prepare(ctx context.Context, req Request) (*Query, error) {
	if err := e.waitFor(ctx, req.After); err != nil {
		return nil, err
	}
	if q := e.pulls.find(e, &req); q != nil {
		return q, nil
	}
	c := e.Catalog()
	sess := e.newSession(req.Properties, req.Variables)
	text := strings.TrimSpace(req.SQL)
	stmts, err := parseAll(text, sess)
	if err != nil {
		return nil, statementError(text, err)
	}
	if len(stmts) != 1 {
		failed := badStatement(text, "Expected exactly one KSQL statement; found %d instead", len(stmts))
		failed.cause = errStatement
		return nil, failed
	}
	q := &Query{engine: e, text: text, properties: sess.properties}
	switch s := stmts[0].(type) {
	case *ast.Query:
		err = e.prepareSelect(ctx, q, s, sess, c)
	case *ast.PrintTopic:
		err = e.preparePrint(ctx, q, s)
	default:
		failed := badStatement(text, "Neither a query nor a print statement")
		failed.cause = errStatement
		err = failed
	}
	if err != nil {
		return nil, statementError(text, err)
	}
	e.pulls.add(c, &req, q)
	return q, nil
}

// parseAll reads the statements of a text with the session's variables filled in.
func parseAll(text string, sess *session) ([]ast.Statement, error) {
	text, err := sess.substitute(text)
	if err != nil {
		return nil, err
	}
	return parser.Parse(text)
}

func (e *Engine) prepareSelect(ctx context.Context, q *Query, s *ast.Query, sess *session, c *catalog.Catalog) error {
	cfg, err := sess.config()
	if err != nil {
		return err
	}
	a := e.analyzer(c, liveTopics{e}, cfg, e.commands.nextSequence())
	if s.Emit != ast.EmitUnspecified {
		if err := checkValue("auto.offset.reset", cmp.Or(e.offsetReset(sess.properties), "latest")); err != nil {
			return &Error{Code: CodeBadRequest, Message: err.Error()}
		}
		q.Kind = PushQuery
		if q.transient, err = a.Push(ctx, s); err != nil {
			return err
		}
		prefix := "transient_"
		if e.scalable(c, s, q) {
			prefix = "SCALABLE_PUSH_QUERY_"
		}
		return q.nameTransient(prefix)
	}
	pull, err := a.Pull(ctx, s)
	if err != nil {
		return err
	}
	if pull.Stream != nil {
		q.Kind, q.transient = StreamPullQuery, pull.Stream
		return q.nameTransient("transient_")
	}
	q.Kind, q.ID = TablePullQuery, pullID(time.Now())
	for _, col := range pull.Table.Columns {
		q.Columns = append(q.Columns, Column{Name: col.Name, Type: col.Expr.Type, Key: col.Key, Header: headerOf(pull.Source, col)})
	}
	q.pull, err = e.compilePull(c, pull.Table)
	return err
}

// headerOf tells which headers a column of an answer holds.
func headerOf(source *catalog.Source, col plan.PullColumn) string {
	if ref, ok := col.Expr.AST.(*ast.ColumnRef); ok && ref.Name.Name == col.Name {
		if at := source.Schema.FindHeader(col.Name); at >= 0 {
			return source.Schema.Header[at].Header
		}
	}
	return ""
}

// scalable reports whether ksqlDB would run a push query as a scalable one, that
// shares the work of the query that writes its source. Here all push queries run
// alike; only the id tells.
func (e *Engine) scalable(c *catalog.Catalog, s *ast.Query, q *Query) bool {
	on := func(name string) bool {
		return strings.EqualFold(cmp.Or(q.properties[name], e.cfg.Properties[name]), "true")
	}
	if !on("ksql.query.push.v2.enabled") || !on("ksql.query.push.v2.registry.installed") {
		return false
	}
	if _, ok := s.From.(*ast.AliasedSource); !ok || s.Emit != ast.EmitChanges || s.GroupBy != nil || s.Window != nil || s.Having != nil || s.PartitionBy != nil ||
		e.offsetReset(q.properties) == "earliest" || len(c.Writers(q.transient.Sources[0].Name)) != 1 {
		return false
	}
	whole := true
	ast.Walk(s, func(n ast.Node) bool {
		if ref, ok := n.(*ast.ColumnRef); ok && (ref.Name.Name == types.RowPartition || ref.Name.Name == types.RowOffset) {
			whole = false
		}
		return whole
	})
	return whole
}

// nameTransient gives a transient query its id and columns.
func (q *Query) nameTransient(prefix string) error {
	if len(q.transient.Sources) == 0 {
		return fmt.Errorf("the query %s reads nothing", q.text)
	}
	q.ID = prefix + q.transient.Sources[0].Name + "_" + strconv.FormatInt(rand.Int64(), 10)
	for _, col := range q.transient.Output.Columns {
		q.Columns = append(q.Columns, Column{Name: col.Name, Type: col.Type})
	}
	return nil
}

// Run gives the query's answer to the receiver until it ends, is closed or the
// context ends. An *Error is a refusal or failure of the query; any other error
// is the receiver's.
func (q *Query) Run(ctx context.Context, r Receiver) (End, error) {
	switch q.Kind {
	case PrintQuery:
		return q.runPrint(ctx, r)
	case TablePullQuery:
		return q.runTablePull(ctx, r)
	default:
		return q.runTransient(ctx, r)
	}
}

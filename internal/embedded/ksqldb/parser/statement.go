package parser

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// statements reads everything up to the end of the text.
func (p *parser) statements() []ast.Statement {
	var out []ast.Statement
	for p.err == nil && p.la() != kindEOF {
		if !p.startsStatement() {
			first := len(out) == 0
			p.unknownStatement(!first || oneOf(commands...).has(p.peek(1)))
			break
		}
		start := p.i
		p.statementStart = start
		s := p.statement()
		p.match(kindSemicolon, oneOf(append([]kind{kindEOF}, commands...)...))
		if p.err != nil {
			break
		}
		s.SetSource(p.source(start))
		p.completeRefusal(ast.Mask(s))
		out = append(out, s)
	}
	return out
}

// completeRefusal adds the statement's text to a refusal that does not have one.
func (p *parser) completeRefusal(text string) {
	if p.refused != nil && p.refused.StatementText == "" {
		p.refused.StatementText = text
	}
}

func (p *parser) startsStatement() bool {
	if p.test && p.la() == kwRun {
		return true
	}
	return oneOf(commands...).has(p.la())
}

// statement reads one statement without its semicolon.
func (p *parser) statement() ast.Statement {
	defer p.enter()()
	start := p.i
	s := p.bareStatement()
	p.predicting = false
	if p.err == nil {
		s.SetSource(p.source(start))
	}
	return s
}

func (p *parser) bareStatement() ast.Statement {
	switch p.la() {
	case kwSelect:
		return p.query()
	case kwCreate:
		return p.create()
	case kwInsert:
		return p.insert()
	case kwDescribe:
		return p.describe()
	case kwPrint:
		return p.print()
	case kwExplain:
		return p.explain()
	case kwShow, kwList:
		return p.show()
	case kwTerminate, kwPause, kwResume:
		return p.queryControl()
	case kwDrop:
		return p.drop()
	case kwSet, kwUnset:
		return p.setProperty()
	case kwDefine, kwUndefine:
		return p.define()
	case kwAssert:
		return p.assert()
	case kwAlter:
		return p.alter()
	case kwRun:
		p.advance()
		p.match(kwScript, set{})
		return &ast.RunScript{File: p.stringText(set{})}
	}
	p.unknownStatement(false)
	return &ast.ShowStreams{}
}

// stringText reads text in single quotes and returns what it says.
func (p *parser) stringText(after set) string {
	t := p.match(kindStringText, after)
	return unquote(t.text)
}

// optional reads a keyword that may be left out; next is what else can stand
// there.
func (p *parser) optional(k kind, next ...kind) bool {
	if p.accept(k) {
		return true
	}
	p.skip(oneOf(append(next, k)...))
	return false
}

func (p *parser) extended() bool { return p.optional(kwExtended, kindSemicolon) }

func (p *parser) show() ast.Statement {
	p.advance()
	k := p.la()
	switch k {
	case kwStreams, kwTables, kwQueries, kwTopics, kwAll, kwProperties, kwFunctions, kwTypes, kwVariables,
		kwSource, kwSink, kwConnectors, kwConnector:
		p.advance()
	default:
		p.noViable(oneOf(kwStreams, kwTables, kwTopics, kwQueries, kwProperties, kwFunctions, kwTypes,
			kwVariables, kwConnectors))
		return &ast.ShowStreams{}
	}
	switch k {
	case kwStreams:
		return &ast.ShowStreams{Extended: p.extended()}
	case kwTables:
		return &ast.ShowTables{Extended: p.extended()}
	case kwQueries:
		return &ast.ShowQueries{Extended: p.extended()}
	case kwAll:
		p.match(kwTopics, set{})
		return &ast.ShowTopics{All: true, Extended: p.extended()}
	case kwTopics:
		return &ast.ShowTopics{Extended: p.extended()}
	case kwProperties:
		return &ast.ShowProperties{}
	case kwFunctions:
		return &ast.ShowFunctions{}
	case kwTypes:
		return &ast.ShowTypes{}
	case kwVariables:
		return &ast.ShowVariables{}
	case kwConnector:
		p.match(kwPlugins, set{})
		return &ast.ShowConnectorPlugins{}
	case kwSource:
		p.match(kwConnectors, set{})
		return &ast.ShowConnectors{Kind: ast.SourceConnector}
	case kwSink:
		p.match(kwConnectors, set{})
		return &ast.ShowConnectors{Kind: ast.SinkConnector}
	}
	return &ast.ShowConnectors{}
}

func (p *parser) describe() ast.Statement {
	p.advance()
	switch {
	case p.la() == kwStreams:
		p.advance()
		return &ast.DescribeStreams{Extended: p.extended()}
	case p.la() == kwConnector:
		p.advance()
		return &ast.DescribeConnector{Name: p.ident()}
	case p.la() == kwFunction && p.peek(1).isIdent():
		p.advance()
		return &ast.DescribeFunction{Name: p.ident()}
	case p.la() == kwTables:
		p.advance()
		return &ast.DescribeTables{Extended: p.extended()}
	case !p.la().isIdent():
		p.noViable(identSet)
		return &ast.DescribeStreams{}
	}
	return &ast.DescribeSource{Name: p.sourceName(), Extended: p.extended()}
}

func (p *parser) explain() ast.Statement {
	p.advance()
	statement := oneOf(commands...).has(p.la())
	if statement && p.la().isIdent() && (p.peek(1) == kindSemicolon || p.peek(1) == kindEOF) {
		statement = false
	}
	if statement {
		return &ast.Explain{Statement: p.statement()}
	}
	want := identSet.with(oneOf(commands...))
	want.what = "a statement or a query id"
	if !p.sync(want) {
		return &ast.Explain{}
	}
	return &ast.Explain{QueryID: p.identHere()}
}

func (p *parser) queryControl() ast.Statement {
	k := p.advance().kind
	var id *ast.Ident
	if !p.accept(kwAll) {
		if !p.la().isIdent() {
			want := identSet.with(oneOf(kwAll))
			want.what = "a query id or ALL"
			p.noViable(want)
		} else {
			id = p.identHere()
		}
	}
	switch k {
	case kwTerminate:
		return &ast.TerminateQuery{QueryID: id}
	case kwPause:
		return &ast.PauseQuery{QueryID: id}
	}
	return &ast.ResumeQuery{QueryID: id}
}

func (p *parser) setProperty() ast.Statement {
	if p.advance().kind == kwUnset {
		return &ast.UnsetProperty{Name: p.stringText(oneOf(kindSemicolon))}
	}
	name, value := p.assignment()
	return &ast.SetProperty{Name: name, Value: value}
}

// assignment reads 'name' = 'value'.
func (p *parser) assignment() (name, value string) {
	name = p.stringText(oneOf(kindEq))
	p.match(kindEq, oneOf(kindStringText))
	return name, p.stringText(oneOf(kindSemicolon))
}

func (p *parser) define() ast.Statement {
	k := p.advance().kind
	var name string
	if p.la().isKeyword() {
		name = p.advance().text
	} else {
		name = p.match(kindIdent, set{}).text
	}
	if k == kwUndefine {
		return &ast.UndefineVariable{Name: name}
	}
	p.match(kindEq, oneOf(kindStringText))
	return &ast.DefineVariable{Name: name, Value: p.stringText(oneOf(kindSemicolon))}
}

// resourceName reads the name of a topic or subject, which keeps its case.
func (p *parser) resourceName() string {
	if !p.sync(resourceSet) {
		return ""
	}
	if p.la() == kindStringText {
		return unquote(p.advance().text)
	}
	return p.identHere().Text()
}

func (p *parser) print() ast.Statement {
	p.advance()
	s := &ast.PrintTopic{Topic: p.resourceName()}
	if p.optional(kwFrom, kindSemicolon, kwInterval, kwSample, kwLimit) {
		p.match(kwBeginning, oneOf(kindSemicolon, kwInterval, kwSample, kwLimit))
		s.FromBeginning = true
	}
	if p.la() == kwInterval || p.la() == kwSample {
		p.advance()
		n := p.integer("INTERVAL")
		s.Interval = &n
	} else {
		p.skip(oneOf(kindSemicolon, kwInterval, kwSample, kwLimit))
	}
	s.Limit = p.limit()
	return s
}

func (p *parser) limit() *int32 {
	if !p.optional(kwLimit, kindSemicolon) {
		return nil
	}
	n := p.integer("LIMIT")
	return &n
}

// ifNotExists reads IF NOT EXISTS where a name follows, which may itself be IF.
func (p *parser) ifNotExists() bool {
	if p.la() != kwIf || p.peek(1) != kwNot {
		return false
	}
	p.advance()
	p.advance()
	p.match(kwExists, identSet)
	return true
}

func (p *parser) ifExists() bool {
	if p.la() != kwIf || p.peek(1) != kwExists {
		return false
	}
	p.advance()
	p.advance()
	return true
}

func (p *parser) create() ast.Statement {
	p.advance()
	p.predicting = true
	replace := p.accept(kwOr)
	if replace {
		p.match(kwReplace, set{})
	}
	source := p.accept(kwSource)
	switch {
	case p.la() == kwStream, p.la() == kwTable:
		return p.createSource(replace, source)
	case p.la() == kwConnector && source && !replace:
		return p.createConnector(ast.SourceConnector)
	case p.la() == kwSink && !source && !replace:
		p.advance()
		return p.createConnector(ast.SinkConnector)
	case p.la() == kwType && !source && !replace:
		return p.createType()
	}
	p.noViable(oneOf(kwStream, kwTable, kwConnector, kwType))
	return &ast.CreateSource{}
}

func (p *parser) kind() ast.SourceKind {
	if p.advance().kind == kwStream {
		return ast.Stream
	}
	return ast.Table
}

func (p *parser) createSource(replace, source bool) ast.Statement {
	kind := p.kind()
	p.predicting = !source
	exists := p.ifNotExists()
	name := p.sourceName()
	c := &ast.CreateSource{Kind: kind, OrReplace: replace, IfNotExists: exists, ReadOnly: source, Name: name}
	if p.la() == kindLeftParen {
		p.predicting = false
		c.Elements = p.tableElements(kind)
	} else {
		p.skip(oneOf(kindSemicolon, kindLeftParen, kwWith))
	}
	c.With = p.properties(false)
	if !source && c.Elements == nil && p.la() == kwAs {
		p.advance()
		p.predicting = false
		s := &ast.CreateAsSelect{Kind: kind, OrReplace: replace, IfNotExists: exists, Name: name, With: c.With}
		s.Query = p.subQuery()
		if s.Query.Limit != nil {
			p.refuse(s.Query.Start, "CREATE %s AS SELECT statements don't support LIMIT clause.", kind)
		}
		return s
	}
	p.predicting = false
	return c
}

func (p *parser) createConnector(kind ast.ConnectorKind) ast.Statement {
	p.predicting = false
	p.match(kwConnector, set{})
	return &ast.CreateConnector{
		Kind: kind, IfNotExists: p.ifNotExists(), Name: p.ident(), With: p.properties(true),
	}
}

func (p *parser) createType() ast.Statement {
	p.predicting = false
	p.advance()
	s := &ast.CreateType{IfNotExists: p.ifNotExists(), Name: p.ident()}
	p.match(kwAs, typeSet)
	s.Type = p.dataType(oneOf(kindSemicolon))
	return s
}

// subQuery reads the query of a CREATE ... AS or INSERT INTO.
func (p *parser) subQuery() *ast.Query {
	if p.la() != kwSelect {
		p.match(kwSelect, set{})
		return &ast.Query{}
	}
	start := p.i
	q := p.query()
	if p.err == nil {
		q.Source = p.source(start)
	}
	return q
}

func (p *parser) insert() ast.Statement {
	p.advance()
	p.predicting = true
	p.match(kwInto, set{})
	name := p.sourceName()
	k := p.la()
	p.predicting = false
	switch k {
	case kwWith, kwSelect:
		s := &ast.InsertInto{Target: name, With: p.properties(false)}
		s.Query = p.subQuery()
		return s
	case kindLeftParen, kwValues:
		s := &ast.InsertValues{Target: name, Columns: p.columns()}
		p.match(kwValues, oneOf(kindLeftParen))
		s.Values = p.values()
		p.checkCounts(name, len(s.Columns), len(s.Values))
		return s
	}
	p.noViable(oneOf(kwWith, kwSelect, kindLeftParen, kwValues))
	return &ast.InsertInto{}
}

func (p *parser) checkCounts(name *ast.Ident, columns, values int) {
	if columns > 0 && columns != values {
		p.refuse(name.Start, "Expected number columns and values to match: %d, %d", columns, values)
	}
}

// columns reads (name, ...) if it is there.
func (p *parser) columns() []*ast.Ident {
	if !p.accept(kindLeftParen) {
		return nil
	}
	var out []*ast.Ident
	p.list(func() { out = append(out, p.ident()) })
	return out
}

// list reads what item reads, again after each comma, and the closing
// parenthesis.
func (p *parser) list(item func()) {
	end := oneOf(kindComma, kindRightParen)
	item()
	ok := p.err == nil && p.sync(end)
	for ok && p.accept(kindComma) {
		item()
		ok = p.err == nil && p.syncAgain(end)
	}
	p.match(kindRightParen, set{})
}

// values reads (expression, ...), which may be empty.
func (p *parser) values() []ast.Expr {
	p.match(kindLeftParen, valueSet)
	if p.accept(kindRightParen) {
		return nil
	}
	var out []ast.Expr
	p.list(func() { out = append(out, p.value(oneOf(kindComma, kindRightParen))) })
	return out
}

func (p *parser) drop() ast.Statement {
	p.advance()
	switch p.la() {
	case kwStream, kwTable:
		s := &ast.DropSource{Kind: p.kind(), IfExists: p.ifExists(), Name: p.sourceName()}
		if p.optional(kwDelete, kindSemicolon) {
			p.match(kwTopic, oneOf(kindSemicolon))
			s.DeleteTopic = true
		}
		return s
	case kwConnector:
		p.advance()
		return &ast.DropConnector{IfExists: p.ifExists(), Name: p.ident()}
	case kwType:
		p.advance()
		return &ast.DropType{IfExists: p.ifExists(), Name: p.ident()}
	}
	p.noViable(oneOf(kwStream, kwTable, kwConnector, kwType))
	return &ast.DropSource{}
}

func (p *parser) alter() ast.Statement {
	p.advance()
	switch p.la() {
	case kwSystem:
		p.advance()
		name, value := p.assignment()
		return &ast.AlterSystemProperty{Name: name, Value: value}
	case kwStream, kwTable:
		s := &ast.AlterSource{Kind: p.kind(), Name: p.sourceName()}
		for {
			start := p.i
			p.match(kwAdd, identSet)
			if p.la() == kwColumn && p.peek(1).isIdent() {
				p.advance()
			}
			c := &ast.AlterOption{Name: p.ident(), Type: p.dataType(oneOf(kindComma, kindSemicolon))}
			c.Span = p.span(start)
			s.Columns = append(s.Columns, c)
			if !p.accept(kindComma) {
				return s
			}
		}
	}
	p.noViable(oneOf(kwStream, kwTable, kwSystem))
	return &ast.AlterSource{}
}

func (p *parser) assert() ast.Statement {
	p.advance()
	p.predicting = true
	not := p.accept(kwNot)
	if not {
		p.match(kwExists, set{})
	}
	k := p.la()
	if p.test && !not && (k == kwValues || k == kwNull || k == kwStream || k == kwTable) {
		p.predicting = false
		return p.assertData()
	}
	switch k {
	case kwTopic:
		p.predicting = false
		p.advance()
		s := &ast.AssertTopic{NotExists: not, Topic: p.resourceName(), With: p.properties(false)}
		s.Timeout = p.timeout()
		return s
	case kwSchema:
		p.predicting = false
		p.advance()
		return p.assertSchema(not)
	}
	p.noViable(oneOf(kwTopic, kwSchema))
	return &ast.AssertTopic{}
}

func (p *parser) timeout() *ast.Duration {
	if !p.optional(kwTimeout, kindSemicolon) {
		return nil
	}
	d := p.duration()
	return &d
}

func (p *parser) assertSchema(not bool) ast.Statement {
	s := &ast.AssertSchema{NotExists: not}
	if p.optional(kwSubject, kindSemicolon, kwId, kwTimeout) {
		s.Subject = p.resourceName()
	}
	if p.optional(kwId, kindSemicolon, kwTimeout) {
		switch l := p.literal().(type) {
		case *ast.IntegerLiteral:
			s.ID = &l.Value
		case nil:
		default:
			p.refuse(l.Pos(), "ID must be an integer")
		}
	}
	if s.Subject == "" && s.ID == nil {
		p.refuse(p.tok().pos, "ASSERT SCHEMA statements much include a subject name or an id")
	}
	s.Timeout = p.timeout()
	return s
}

// assertData reads the ASSERT statements of SQL tests.
func (p *parser) assertData() ast.Statement {
	switch p.la() {
	case kwStream, kwTable:
		s := &ast.AssertSource{Kind: p.kind(), Name: p.sourceName()}
		if p.la() == kindLeftParen {
			s.Elements = p.tableElements(s.Kind)
		}
		s.With = p.properties(false)
		return s
	case kwNull:
		p.advance()
		p.match(kwValues, identSet)
		s := &ast.AssertTombstone{Target: p.sourceName(), Columns: p.columns()}
		p.match(kwKey, oneOf(kindLeftParen))
		s.Values = p.values()
		p.checkCounts(s.Target, len(s.Columns), len(s.Values))
		return s
	}
	p.advance()
	s := &ast.AssertValues{Target: p.sourceName(), Columns: p.columns()}
	p.match(kwValues, oneOf(kindLeftParen))
	s.Values = p.values()
	p.checkCounts(s.Target, len(s.Columns), len(s.Values))
	return s
}

// properties reads WITH (name = literal, ...); unless required it may be left out.
func (p *parser) properties(required bool) []*ast.Property {
	if !required && p.la() != kwWith {
		p.skip(oneOf(kindSemicolon, kwWith))
		return nil
	}
	p.match(kwWith, oneOf(kindLeftParen))
	p.match(kindLeftParen, resourceSet)
	var out []*ast.Property
	p.list(func() { out = append(out, p.property()) })
	return out
}

func (p *parser) property() *ast.Property {
	start := p.i
	prop := &ast.Property{}
	if !p.sync(resourceSet) {
		return prop
	}
	if p.la() == kindStringText {
		prop.Name = unquote(p.advance().text)
	} else {
		prop.Name = p.identHere().Name
	}
	p.match(kindEq, literalSet)
	prop.Value = p.literal()
	prop.Span = p.span(start)
	return prop
}

func (p *parser) tableElements(kind ast.SourceKind) []*ast.TableElement {
	p.match(kindLeftParen, identSet)
	var out []*ast.TableElement
	p.list(func() { out = append(out, p.tableElement()) })
	if p.err == nil {
		p.checkElements(kind, out)
	}
	return out
}

func (p *parser) tableElement() *ast.TableElement {
	start := p.i
	e := &ast.TableElement{Name: p.ident()}
	e.Type = p.dataType(oneOf(kindComma, kindRightParen, kwPrimary, kwKey, kwHeaders, kwHeader))
	switch p.la() {
	case kwPrimary:
		p.advance()
		p.match(kwKey, oneOf(kindComma, kindRightParen))
		e.Role = ast.PrimaryKeyColumn
	case kwKey:
		p.advance()
		e.Role = ast.KeyColumn
	case kwHeaders:
		p.advance()
		e.Role = ast.HeadersColumn
	case kwHeader:
		p.advance()
		p.match(kindLeftParen, oneOf(kindStringText))
		e.HeaderKey = strings.TrimSpace(p.stringText(oneOf(kindRightParen)))
		p.match(kindRightParen, oneOf(kindComma, kindRightParen))
		e.Role = ast.HeaderColumn
		if e.HeaderKey == "" {
			e.Role = ast.HeadersColumn
		}
	}
	e.Span = p.span(start)
	return e
}

// checkElements refuses the wrong kind of key and names that occur twice.
func (p *parser) checkElements(kind ast.SourceKind, elements []*ast.TableElement) {
	for _, e := range elements {
		wrong, right := "PRIMARY KEY", "KEY"
		if kind == ast.Table {
			wrong, right = right, wrong
		}
		if e.Role == ast.KeyColumn && kind == ast.Table || e.Role == ast.PrimaryKeyColumn && kind == ast.Stream {
			r := p.refuse(e.Start, "")
			r.Message = fmt.Sprintf("Line: %d, Col: %d: Column %s is a '%s' column: please use '%s' for %ss.\n"+
				"Tables have PRIMARY KEYs, which are unique and NON NULL.\n"+
				"Streams have KEYs, which have no uniqueness or NON NULL constraints.",
				e.Start.Line, e.Start.Column, backQuote(e.Name.Name), wrong, right, strings.ToLower(kind.String()))
			r.StatementText = backQuote(e.Name.Name)
			return
		}
	}
	count := map[string]int{}
	var twice []string
	var second ast.Position
	for _, e := range elements {
		count[e.Name.Name]++
		if count[e.Name.Name] == 2 {
			twice = append(twice, backQuote(e.Name.Name))
			if !second.IsValid() {
				second = e.Start
			}
		}
	}
	if len(twice) > 0 {
		p.refuse(second, "Duplicate column names: %s", strings.Join(twice, ", "))
	}
}

func backQuote(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// integer reads the number of a clause that takes whole numbers only.
func (p *parser) integer(clause string) int32 {
	if !p.sync(numberSet) {
		return 0
	}
	start := p.tok().pos
	switch n := p.number().(type) {
	case *ast.IntegerLiteral:
		return n.Value
	case nil:
	default:
		p.refuse(start, "Value must be integer for command: %s", clause)
	}
	return 0
}

// duration reads number unit.
func (p *parser) duration() ast.Duration {
	start := p.i
	if !p.sync(numberSet) {
		return ast.Duration{}
	}
	negative := p.accept(kindMinus)
	t := p.advance()
	if !t.kind.isNumber() {
		p.i--
		p.unexpected(numberSet, false)
		return ast.Duration{}
	}
	text := t.text
	if negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		e := p.refuse(t.pos, `For input string: "%s"`, text)
		e.Hint = "A duration takes a whole number of units."
	}
	if !p.sync(unitSet) {
		return ast.Duration{}
	}
	return ast.Duration{Value: n, Unit: timeUnits[p.advance().kind], Span: p.span(start)}
}

var timeUnits = map[kind]ast.TimeUnit{
	kwDay: ast.Day, kwDays: ast.Day, kwHour: ast.Hour, kwHours: ast.Hour,
	kwMinute: ast.Minute, kwMinutes: ast.Minute, kwSecond: ast.Second, kwSeconds: ast.Second,
	kwMillisecond: ast.Millisecond, kwMilliseconds: ast.Millisecond,
}

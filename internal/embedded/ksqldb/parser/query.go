package parser

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"

// query reads SELECT and all its clauses.
func (p *parser) query() *ast.Query {
	start := p.i
	q := &ast.Query{}
	p.match(kwSelect, conditionSet)
	q.Select = p.selectItems()
	p.match(kwFrom, identSet)
	q.From = p.relation()
	p.clauses(q)
	if p.err == nil {
		q.Source = p.source(start)
		p.checkQuery(q)
	}
	return q
}

// clauses reads what follows FROM, all of it optional and in this order.
func (p *parser) clauses(q *ast.Query) {
	order := []kind{kindSemicolon, kwWindow, kwWhere, kwGroup, kwPartition, kwHaving, kwEmit, kwLimit}
	rest := func(k kind) set {
		for i, o := range order {
			if o == k {
				return oneOf(append([]kind{kindSemicolon}, order[i+1:]...)...)
			}
		}
		return set{}
	}
	p.skip(oneOf(order...))
	if p.accept(kwWindow) {
		q.Window = p.window()
	}
	if p.accept(kwWhere) {
		q.Where = p.expression(rest(kwWhere))
	}
	if p.la() == kwGroup {
		start := p.i
		q.GroupBy = &ast.GroupBy{Exprs: p.byList(rest(kwGroup))}
		q.GroupBy.Span = p.span(start)
	}
	if p.la() == kwPartition {
		start := p.i
		q.PartitionBy = &ast.PartitionBy{Exprs: p.byList(rest(kwPartition))}
		q.PartitionBy.Span = p.span(start)
	}
	if p.accept(kwHaving) {
		q.Having = p.expression(rest(kwHaving))
	}
	if p.accept(kwEmit) {
		q.Emit = p.emit()
	}
	q.Limit = p.limit()
}

func (p *parser) emit() ast.Emit {
	if !p.sync(oneOf(kwChanges, kwFinal)) {
		return ast.EmitUnspecified
	}
	if p.advance().kind == kwFinal {
		return ast.EmitFinal
	}
	return ast.EmitChanges
}

// checkQuery refuses what ksqlDB refuses while it builds the tree.
func (p *parser) checkQuery(q *ast.Query) {
	if q.GroupBy != nil && q.PartitionBy != nil {
		p.refuse(q.PartitionBy.Start, "Queries only support one of PARTITION BY and GROUP BY")
	}
	known := map[string]bool{}
	addSources(known, q.From)
	check := func(id *ast.Ident) {
		if id != nil && !known[id.Name] {
			e := p.refuse(id.Start, "'%s' is not a valid stream/table name or alias.", id.Name)
			e.Hint = "Columns are qualified with the alias or the name of a stream or table in FROM or JOIN."
		}
	}
	ast.Walk(q, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ColumnRef:
			check(n.Source)
		case *ast.AllColumns:
			check(n.Source)
		}
		return p.refused == nil
	})
}

// addSources adds the names and the aliases of all sources. ksqlDB lets a column
// be qualified with either here; that an alias hides the name comes out later.
func addSources(known map[string]bool, r ast.Relation) {
	for {
		switch s := r.(type) {
		case *ast.Join:
			addSources(known, s.Right)
			r = s.Left
			continue
		case *ast.AliasedSource:
			known[s.Name.Name] = true
			known[s.Ref()] = true
		}
		return
	}
}

func (p *parser) selectItems() []ast.SelectItem {
	end := oneOf(kindComma, kwFrom)
	out := []ast.SelectItem{p.selectItem()}
	ok := p.err == nil && p.sync(end)
	for ok && p.accept(kindComma) {
		out = append(out, p.selectItem())
		ok = p.err == nil && p.syncAgain(end)
	}
	return out
}

func (p *parser) selectItem() ast.SelectItem {
	start := p.i
	want := conditionSet.with(oneOf(kindStar))
	if !p.sync(want) {
		return &ast.AllColumns{}
	}
	if p.accept(kindStar) {
		return &ast.AllColumns{Span: p.span(start)}
	}
	if p.la().isIdent() && p.peek(1) == kindDot && p.peek(2) == kindStar {
		id := p.identHere()
		p.advance()
		p.advance()
		return &ast.AllColumns{Source: id, Span: p.span(start)}
	}
	p.predicting, p.itemDepth = true, p.depth+1
	e := p.expression(identSet.with(oneOf(kindComma, kwFrom, kwAs)))
	if p.itemDepth != 0 && p.la() == kindArrow {
		p.advance()
		p.advance()
		p.predicting, p.itemDepth = false, 0
		return &ast.StructAll{Base: e, Span: p.span(start)}
	}
	p.predicting, p.itemDepth = false, 0
	item := &ast.SingleColumn{Expr: e}
	if p.accept(kwAs) {
		item.Alias = p.ident()
	} else if p.la().isIdent() {
		item.Alias = p.identHere()
	}
	item.Span = p.span(start)
	return item
}

func (p *parser) relation() ast.Relation {
	start := p.i
	var left ast.Relation = p.aliasedSource()
	joins := 0
	for p.err == nil {
		t, ok := p.joinType()
		if !ok {
			break
		}
		if joins++; joins > maxChain {
			p.tooLarge()
		}
		j := &ast.Join{Type: t, Left: left, Right: p.aliasedSource()}
		if p.err == nil && p.sync(oneOf(kwWithin, kwOn)) && p.la() == kwWithin {
			j.Within = p.within()
		}
		p.match(kwOn, conditionSet)
		j.On = p.expression(oneOf(kindSemicolon, kwWindow, kwWhere, kwGroup, kwPartition, kwHaving, kwEmit, kwLimit,
			kwJoin, kwInner, kwLeft, kwRight, kwFull))
		j.Span = p.span(start)
		left = j
	}
	return left
}

// joinType reads everything up to JOIN, if a join follows.
func (p *parser) joinType() (ast.JoinType, bool) {
	t := ast.InnerJoin
	switch p.la() {
	case kwJoin:
	case kwInner:
		p.advance()
	case kwLeft, kwRight, kwFull:
		switch p.advance().kind {
		case kwLeft:
			t = ast.LeftJoin
		case kwRight:
			t = ast.RightJoin
		default:
			t = ast.OuterJoin
		}
		p.optional(kwOuter, kwJoin)
	default:
		return t, false
	}
	p.match(kwJoin, identSet)
	return t, true
}

func (p *parser) aliasedSource() *ast.AliasedSource {
	start := p.i
	s := &ast.AliasedSource{Name: p.sourceName()}
	if p.accept(kwAs) {
		if !p.la().isIdent() {
			p.noViable(identSet)
		}
		s.Alias = p.sourceName()
	} else if p.aliasFollows() {
		s.Alias = p.sourceName()
	}
	s.Span = p.span(start)
	return s
}

// aliasFollows tells an alias from a clause that starts with a word which may
// also be a name.
func (p *parser) aliasFollows() bool {
	switch p.la() {
	case kwEmit:
		return p.peek(1) != kwChanges && p.peek(1) != kwFinal
	case kwPartition:
		return p.peek(1) != kwBy
	}
	return p.la().isIdent()
}

func (p *parser) within() *ast.Within {
	start := p.i
	p.advance()
	w := &ast.Within{}
	if !p.sync(numberSet.with(oneOf(kindLeftParen))) {
		return w
	}
	if p.accept(kindLeftParen) {
		w.Before = p.duration()
		p.match(kindComma, numberSet)
		w.After = p.duration()
		p.match(kindRightParen, oneOf(kwGrace, kwOn))
	} else {
		w.Before = p.duration()
		w.After = w.Before
	}
	if p.optional(kwGrace, kwOn) {
		w.Grace = p.grace()
	}
	w.Span = p.span(start)
	return w
}

// grace reads what follows GRACE.
func (p *parser) grace() *ast.Duration {
	p.match(kwPeriod, numberSet)
	d := p.duration()
	return &d
}

func (p *parser) window() *ast.Window {
	kinds := oneOf(kwTumbling, kwHopping, kwSession)
	if !p.sync(kinds.with(oneOf(kindIdent))) {
		return &ast.Window{}
	}
	p.accept(kindIdent) // a name, which has no use
	start := p.i
	if !p.sync(kinds) {
		return &ast.Window{}
	}
	w := &ast.Window{}
	k := p.advance().kind
	p.match(kindLeftParen, numberSet.with(oneOf(kwSize)))
	if k != kwSession {
		p.match(kwSize, numberSet)
	}
	w.Size = p.duration()
	switch k {
	case kwHopping:
		w.Type = ast.HoppingWindow
		p.match(kindComma, oneOf(kwAdvance))
		p.match(kwAdvance, oneOf(kwBy))
		p.match(kwBy, numberSet)
		d := p.duration()
		w.Advance = &d
	case kwSession:
		w.Type = ast.SessionWindow
	}
	p.retentionAndGrace(w)
	p.match(kindRightParen, set{})
	w.Span = p.span(start)
	return w
}

func (p *parser) retentionAndGrace(w *ast.Window) {
	end := oneOf(kindComma, kindRightParen)
	if p.err != nil || !p.sync(end) || !p.accept(kindComma) {
		return
	}
	if p.accept(kwRetention) {
		d := p.duration()
		w.Retention = &d
		if p.err != nil || !p.sync(end) || !p.accept(kindComma) {
			return
		}
		p.match(kwGrace, oneOf(kwPeriod))
		w.Grace = p.grace()
		return
	}
	if !p.accept(kwGrace) {
		p.noViable(oneOf(kwRetention, kwGrace))
		return
	}
	w.Grace = p.grace()
}

// byList reads GROUP BY or PARTITION BY and its expressions, with or without
// parentheses around all of them.
func (p *parser) byList(next set) []ast.Expr {
	p.advance()
	p.match(kwBy, valueSet)
	if p.err != nil {
		return nil
	}
	if p.la() == kindLeftParen && p.listInParens(next) {
		p.advance()
		if p.accept(kindRightParen) {
			return nil
		}
		var out []ast.Expr
		p.list(func() { out = append(out, p.value(oneOf(kindComma, kindRightParen))) })
		return out
	}
	follow := next.with(oneOf(kindComma))
	out := []ast.Expr{p.value(follow)}
	for p.err == nil && p.accept(kindComma) {
		out = append(out, p.value(follow))
	}
	return out
}

// listInParens tells (a, b) and () from (a) and (a) + b, where all start with the
// parenthesis at the current token. A single expression in parentheses is left to
// be read as such, because it may then be a condition.
func (p *parser) listInParens(next set) bool {
	depth, list := 0, p.peek(1) == kindRightParen
	for i := p.i; i < len(p.tokens); i++ {
		switch p.tokens[i].kind {
		case kindLeftParen, kindLeftBracket:
			depth++
		case kindRightParen, kindRightBracket:
			depth--
		case kindComma:
			list = list || depth == 1
		case kindSemicolon:
			return false
		}
		if depth == 0 {
			return list && i+1 < len(p.tokens) && next.has(p.tokens[i+1].kind)
		}
	}
	return false
}

package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// relation is a FROM clause, or one side of a join, as planned.
type relation struct {
	node plan.Node
	// left is the left-most source, from which sinks inherit.
	left *from
	// sources are all of the relation.
	sources []*from
	joined  bool
	// equal are the expressions that equal the key of the rows.
	equal []ast.Expr
	// keyName is the name of the key column of a join.
	keyName   string
	synthetic bool
	// foreign is set when the key is that of the left table of a foreign-key join.
	foreign *from

	// keyFormat is what sinks inherit, rowFormat how the keys of the rows are
	// written.
	keyFormat   plan.Format
	rowFormat   plan.Format
	valueFormat plan.Format
	windowType  string
	table       bool
}

// planFrom plans the FROM clause.
func (p *planner) planFrom() (*relation, error) {
	if join, ok := p.sanitized.From.(*ast.Join); ok {
		if err := p.checkJoinFormats(); err != nil {
			return nil, err
		}
		if err := p.checkAliases(); err != nil {
			return nil, err
		}
		p.criteria = map[*ast.Join]*criterion{}
		if _, err := p.checkCriteria(join); err != nil {
			return nil, err
		}
		return p.planJoin(join, "", true)
	}
	return p.single(p.sources[0]), nil
}

func (p *planner) single(f *from) *relation {
	return &relation{
		node: p.a.sourceNode(f.source), left: f, sources: []*from{f},
		keyFormat: inherited(f.source.Topic.Key), rowFormat: inherited(f.source.Topic.Key), valueFormat: inherited(f.source.Topic.Value),
		windowType: f.source.WindowType, table: f.source.IsTable(),
	}
}

// viableKeys are the expressions that make the key of the relation's rows.
func (r *relation) viableKeys() *keySet {
	if !r.joined {
		k := &keySet{clause: "key column"}
		for _, c := range r.left.source.Schema.Key {
			k.add(columnRef(c.Name), columnRef(c.Name), c.Name)
		}
		return k
	}
	if r.foreign != nil {
		k := &keySet{foreign: r.foreign, qualified: true}
		for _, c := range r.foreign.source.Schema.Key {
			ref := &ast.ColumnRef{Source: ident(r.foreign.alias), Name: ident(c.Name)}
			name := r.foreign.alias + "_" + c.Name
			k.add(ref, columnRef(name), name)
		}
		return k
	}
	k := &keySet{clause: "join expression", qualified: true, anyOf: true, synthetic: r.synthetic}
	if r.synthetic {
		k.add(columnRef(r.keyName), columnRef(r.keyName), r.keyName)
		return k
	}
	for _, c := range columnsAmong(r.equal) {
		name := c.Source.Name + "_" + c.Name.Name
		k.add(c, columnRef(name), name)
	}
	return k
}

// columnsAmong are those expressions that are columns.
func columnsAmong(list []ast.Expr) []*ast.ColumnRef {
	var out []*ast.ColumnRef
	for _, e := range list {
		if c, ok := e.(*ast.ColumnRef); ok {
			out = append(out, c)
		}
	}
	return out
}

func (p *planner) checkJoinFormats() error {
	var names []string
	for _, f := range p.sources {
		if f.source.Topic.Value.Name == format.Kafka {
			names = append(names, f.source.Name)
		}
	}
	if len(names) > 0 {
		return badStatement("Source(s) %s are using the 'KAFKA' value format. This format does not yet support JOIN.", strings.Join(names, ", "))
	}
	return nil
}

// checkAliases refuses aliases that would give two columns one name.
func (p *planner) checkAliases() error {
	owners := map[string]*from{}
	aliases := map[string]*from{}
	for _, f := range p.sources {
		if o, taken := aliases[f.alias]; taken && o.source != f.source {
			return badStatement("%sThe name %s stands for two sources of the FROM clause: give each an alias of its own.", location(f.at), types.QuoteName(f.alias))
		}
		if aliases[f.alias] != nil {
			continue // a source joined with itself, which is refused with its own text
		}
		aliases[f.alias] = f
		for _, c := range expr.ScopeOf(f.source.Schema, f.source.Topic.Window != types.NoWindow).Columns {
			name := f.alias + "_" + c.Name
			if o, taken := owners[name]; taken {
				return badStatement("%sColumns of %s and %s would both be named %s: give one of them another alias.",
					location(f.at), types.QuoteName(o.alias), types.QuoteName(f.alias), types.QuoteName(name))
			}
			owners[name] = f
		}
	}
	return nil
}

// criterion is a join condition: what of the left side equals what of the right.
type criterion struct {
	left, right ast.Expr
	// written is the condition as it stands in the statement.
	written string
}

// criterion checks a join condition and sorts its two sides.
func (p *planner) criterion(j *ast.Join, left []*from, right *from) (*criterion, error) {
	if l, ok := j.On.(*ast.Logical); ok {
		return nil, badStatement("Invalid join condition: joins on multiple conditions are not yet supported. Got %s.", expr.Format(l))
	}
	cmp, ok := j.On.(*ast.Comparison)
	if !ok {
		return nil, badStatement("Unsupported join expression: %s (%s)", expr.Format(j.On), at(j.On))
	}
	if cmp.Op != ast.Equal {
		return nil, badStatement("Only equality join criteria is supported.")
	}
	sides := []ast.Expr{cmp.Left, cmp.Right}
	owners := make([]string, 2)
	for i, e := range sides {
		var names []string
		for _, c := range refsIn(e) {
			if c.Source == nil || p.source(c.Source.Name) == nil || !p.source(c.Source.Name).has(c.Name.Name) {
				return nil, badStatement("%sJOIN ON column '%s' cannot be resolved.", location(c), expr.Format(c))
			}
			if !slices.Contains(names, c.Source.Name) {
				names = append(names, c.Source.Name)
			}
		}
		if len(names) != 1 {
			return nil, badStatement("Invalid comparison expression '%s' in join '%s'. Each side of the join comparision must contain references from exactly one source.",
				expr.Format(e), expr.Format(cmp))
		}
		owners[i] = names[0]
	}
	c := &criterion{left: sides[0], right: sides[1], written: expr.Format(sides[0]) + " = " + expr.Format(sides[1])}
	if owners[0] == owners[1] {
		return nil, badStatement("Each side of the join must reference exactly one source and not the same source. Left side references %s and right references %s",
			types.QuoteName(owners[0]), types.QuoteName(owners[1]))
	}
	inLeft := func(alias string) bool {
		return slices.ContainsFunc(left, func(f *from) bool { return f.alias == alias })
	}
	switch {
	case owners[1] == right.alias && inLeft(owners[0]):
	case owners[0] == right.alias && inLeft(owners[1]):
		c.left, c.right = c.right, c.left
	default:
		return nil, badStatement("A join criteria is expected to reference the source (%s) in the FROM clause, instead the right source references %s and the left source references %s",
			types.QuoteName(right.alias), types.QuoteName(owners[1]), types.QuoteName(owners[0]))
	}
	return c, nil
}

// checkCriteria checks the conditions of a join and of those within it, and
// gives the sources that it joins.
func (p *planner) checkCriteria(r ast.Relation) ([]*from, error) {
	j, ok := r.(*ast.Join)
	if !ok {
		return []*from{p.source(r.(*ast.AliasedSource).Ref())}, nil
	}
	left, err := p.checkCriteria(j.Left)
	if err != nil {
		return nil, err
	}
	right := p.source(j.Right.Ref())
	for _, f := range left {
		if f.source.Name == right.source.Name {
			return nil, badStatement("Can not join '%s' to '%s': self joins are not yet supported.", right.source.Name, right.source.Name)
		}
	}
	if p.criteria[j], err = p.criterion(j, left, right); err != nil {
		return nil, err
	}
	return append(left, right), nil
}

// planJoin plans a join; prefix begins the names of the topics and stores of
// joins within joins.
func (p *planner) planJoin(j *ast.Join, prefix string, last bool) (*relation, error) {
	var left *relation
	var err error
	switch l := j.Left.(type) {
	case *ast.Join:
		if left, err = p.planJoin(l, prefix+"L_", false); err != nil {
			return nil, err
		}
	case *ast.AliasedSource:
		left = p.single(p.source(l.Ref()))
	}
	right := p.single(p.source(j.Right.Ref()))
	b := &joinBuilder{planner: p, j: j, prefix: prefix, last: last, left: left, right: right, c: p.criteria[j]}
	return b.build()
}

// joinBuilder plans one join.
type joinBuilder struct {
	*planner
	j           *ast.Join
	prefix      string
	last        bool
	left, right *relation
	c           *criterion
	foreign     bool
	// onKeyLeft and onKeyRight tell that a side is joined on its key.
	onKeyLeft, onKeyRight bool
}

var joinTypeText = map[ast.JoinType]string{
	ast.InnerJoin: "[INNER] JOIN", ast.LeftJoin: "LEFT [OUTER] JOIN",
	ast.RightJoin: "RIGHT [OUTER] JOIN", ast.OuterJoin: "[FULL] OUTER JOIN",
}

var joinTypes = map[ast.JoinType]plan.JoinType{
	ast.InnerJoin: plan.Inner, ast.LeftJoin: plan.Left, ast.RightJoin: plan.Right, ast.OuterJoin: plan.Full,
}

func (b *joinBuilder) build() (*relation, error) {
	b.onKeyLeft = b.left.isKey(b.c.left)
	b.onKeyRight = b.right.isKey(b.c.right)
	checks := []func() error{b.checkTypes, b.checkKinds, b.checkWindows}
	if b.left.table {
		checks = []func() error{b.checkKinds, b.checkWindows, b.checkTypes}
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if err := b.checkPartitions(); err != nil {
		return nil, err
	}
	out := &relation{
		left: b.left.left, sources: append(slices.Clone(b.left.sources), b.right.sources...), joined: true,
		keyFormat: b.left.keyFormat, valueFormat: b.left.valueFormat, windowType: b.left.windowType, table: b.left.table,
	}
	if b.foreign {
		return b.buildForeign(out)
	}
	out.rowFormat = b.joinFormat()
	b.chooseKey(out)
	left, right, err := b.sides(out.rowFormat)
	if err != nil {
		return nil, err
	}
	join := plan.Join{
		Type: joinTypes[b.j.Type], LeftInput: left, RightInput: right, KeyName: out.keyName, Step: b.prefix,
		LeftNames:  b.valueNames(left, out, b.j.Type == ast.RightJoin),
		RightNames: b.valueNames(right, out, b.j.Type == ast.LeftJoin),
	}
	switch {
	case !b.left.table && !b.right.table:
		w := b.j.Within
		ss := &plan.StreamStreamJoin{Join: join, Before: w.Before.Duration(), After: w.After.Duration()}
		if w.Grace != nil {
			grace := w.Grace.Duration()
			ss.Grace = &grace
		}
		out.node = ss
	case !b.left.table:
		out.node = &plan.StreamTableJoin{Join: join}
	default:
		out.node = &plan.TableTableJoin{Join: join}
	}
	return out, nil
}

// isKey reports whether an expression is the one key column of the relation's
// rows.
func (r *relation) isKey(e ast.Expr) bool {
	if r.joined && r.foreign == nil {
		return slices.ContainsFunc(r.equal, func(v ast.Expr) bool { return ast.Same(v, e) })
	}
	c, ok := e.(*ast.ColumnRef)
	if !ok {
		return false
	}
	f := r.left
	if r.foreign != nil {
		f = r.foreign
	}
	key := f.source.Schema.Key
	return len(key) == 1 && c.Source.Name == f.alias && c.Name.Name == key[0].Name
}

// checkKinds applies the rules on which kinds of sources join how.
func (b *joinBuilder) checkKinds() error {
	got := func() string {
		return fmt.Sprintf("%s %s %s", b.left.left.source.Name, joinTypeText[b.j.Type], b.right.left.source.Name)
	}
	switch {
	case b.left.table && !b.right.table:
		return badStatement("Invalid join order: table-stream joins are not supported; only stream-table joins. Got %s.", got())
	case !b.left.table && !b.right.table:
		if b.j.Within == nil {
			return badStatement("Stream-Stream joins must have a WITHIN clause specified. None was provided. To learn about how to specify a WITHIN clause with a stream-stream join, please visit: https://docs.confluent.io/current/ksql/docs/syntax-reference.html#create-stream-as-select")
		}
		w := b.j.Within
		if w.Before.Millis() < 0 || w.After.Millis() < 0 || w.Grace != nil && w.Grace.Millis() < 0 {
			return badStatement("WITHIN must not be negative (%s)", at(w))
		}
	case !b.left.table:
		if b.j.Within != nil {
			return badStatement("A window definition was provided for a Stream-Table join. These joins are not windowed. Please drop the window definition (ie. the WITHIN clause) and try to execute your join again.")
		}
		if b.j.Type == ast.OuterJoin {
			return badStatement("Invalid join type: full-outer join not supported for stream-table join. Got %s.", got())
		}
		if b.j.Type == ast.RightJoin {
			return badStatement("Invalid join type: right-outer join not supported for stream-table join. Got %s.", got())
		}
		if !b.onKeyRight {
			return badStatement("Invalid join condition: stream-table joins require to join on the table's primary key. Got %s.", b.c.written)
		}
	default:
		return b.checkTables(got)
	}
	return nil
}

func (b *joinBuilder) checkTables(got func() string) error {
	if b.j.Within != nil {
		return badStatement("A window definition was provided for a Table-Table join. These joins are not windowed. Please drop the window definition (i.e. the WITHIN clause) and try to execute your Table-Table join again.")
	}
	if !b.onKeyRight {
		return badStatement("Invalid join condition: table-table joins require to join on the primary key of the right input table. Got %s.", b.c.written)
	}
	if b.onKeyLeft {
		return nil
	}
	b.foreign = true
	switch {
	case b.left.joined:
		return badStatement("Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. Got %s.", b.c.written)
	case b.j.Type == ast.OuterJoin:
		return badStatement("Invalid join type: full-outer join not supported for foreign-key table-table join. Got %s.", got())
	case b.j.Type == ast.RightJoin:
		return badStatement("Invalid join type: right-outer join not supported for foreign-key table-table join. Got %s.", got())
	case b.left.node.Windowed() != types.NoWindow || b.right.node.Windowed() != types.NoWindow:
		return badStatement("Foreign-key table-table joins are not supported on windowed tables.")
	}
	return nil
}

func (b *joinBuilder) checkWindows() error {
	lw, rw := b.left.node.Windowed(), b.right.node.Windowed()
	if (lw == types.NoWindow) != (rw == types.NoWindow) {
		describe := func(r *relation) string {
			text := "not"
			if r.windowType != "" {
				text = r.windowType
			}
			return fmt.Sprintf("%s is %s windowed", types.QuoteName(r.left.alias), text)
		}
		return badStatement("Can not join windowed source to non-windowed source.\n%s\n%s", describe(b.left), describe(b.right))
	}
	if lw == types.NoWindow {
		return nil
	}
	same := lw == rw && b.left.left.source.Topic.WindowSize == b.right.left.source.Topic.WindowSize
	if !same || !b.onKeyLeft || !b.onKeyRight {
		return errWindowedRepartition()
	}
	return nil
}

func (b *joinBuilder) checkTypes() error {
	s := b.sourceScope("JOIN ON")
	lt, err := b.a.typeOf(b.c.left, s)
	if err != nil {
		return badStatement("%s", err)
	}
	rt, err := b.a.typeOf(b.c.right, s)
	if err != nil {
		return badStatement("%s", err)
	}
	if lt.Equal(rt) {
		return nil
	}
	if b.left.table {
		l, r := lt, rt
		if expr.Format(b.c.left)+" = "+expr.Format(b.c.right) != b.c.written {
			l, r = rt, lt
		}
		texts := strings.SplitN(b.c.written, " = ", 2)
		return badStatement("Invalid join condition: types don't match. Got %s{%s} = %s{%s}.", texts[0], l, texts[1], r)
	}
	return badStatement("Invalid join. Key types differ: %s vs %s", lt, rt)
}

func (b *joinBuilder) checkPartitions() error {
	if b.foreign || b.a.Topics == nil {
		return nil
	}
	var counts [2]int
	for i, f := range []*from{b.left.left, b.right.left} {
		t, ok, err := b.a.Topics.Topic(b.ctx, f.source.Topic.Name)
		if err != nil {
			return serverError("looking up topic %s: %s", f.source.Topic.Name, err)
		}
		if !ok {
			return nil
		}
		counts[i] = t.Partitions
	}
	if counts[0] != counts[1] {
		l, r := types.QuoteName(b.left.left.alias), types.QuoteName(b.right.left.alias)
		return badStatement("Can't join %s with %s since the number of partitions don't match. %s partitions = %d; %s partitions = %d. Please repartition either one so that the number of partitions match.",
			l, r, l, counts[0], r, counts[1])
	}
	return nil
}

// joinFormat is the key format of the join: that of the left side, unless only
// the right side can stay where it is.
func (b *joinBuilder) joinFormat() plan.Format {
	f := b.left.rowFormat
	if !b.staysPut(b.left, b.onKeyLeft) && b.staysPut(b.right, b.onKeyRight) || !b.onKeyLeft && b.right.table {
		f = b.right.rowFormat
	}
	if f.Name == format.None {
		f = plan.Format{Name: b.a.defaultKeyFormat()}
	}
	return f
}

// staysPut reports whether the rows of a side are where the join needs them.
// Equal keys may have different bytes where they carry the id of a schema, so
// such a source never does.
func (b *joinBuilder) staysPut(r *relation, onKey bool) bool {
	return onKey && (r.joined || !hasKeySchema(r.rowFormat))
}

// hasKeySchema reports whether a registry holds the schemas of keys in a format
// that ksqlDB gives a schema of its own in internal topics.
func hasKeySchema(f plan.Format) bool {
	return f.Name == format.Avro || f.Name == format.JSONSR
}

// chooseKey names the key column of the result: the first of the equal columns
// that the projection has, or a synthetic name.
func (b *joinBuilder) chooseKey(out *relation) {
	if b.j.Type != ast.OuterJoin {
		if b.onKeyLeft && b.left.joined && b.left.foreign == nil {
			out.equal = slices.Clone(b.left.equal)
		} else {
			out.equal = append(out.equal, b.c.left)
		}
		out.equal = append(out.equal, b.c.right)
	}
	viable := columnsAmong(out.equal)
	if len(viable) == 0 {
		out.synthetic = true
		out.keyName = b.names.unused("ROWKEY")
		return
	}
	chosen := viable[0]
	if b.last {
		if at := slices.IndexFunc(viable, b.isProjected); at >= 0 {
			chosen = viable[at]
		}
	}
	out.keyName = chosen.Source.Name + "_" + chosen.Name.Name
}

func (b *joinBuilder) isProjected(c *ast.ColumnRef) bool {
	return slices.ContainsFunc(b.items, func(it *item) bool {
		if it.star && it.expr == nil {
			return it.name == "" || it.name == c.Source.Name
		}
		return it.expr != nil && ast.Same(it.expr, c)
	})
}

// sides plans both inputs: keyed by the join condition in one format, columns
// named after their sources.
func (b *joinBuilder) sides(keyFormat plan.Format) (plan.Node, plan.Node, error) {
	left, err := b.side(b.left, b.c.left, b.onKeyLeft, keyFormat, "left", "Left")
	if err != nil {
		return nil, nil, err
	}
	right, err := b.side(b.right, b.c.right, b.onKeyRight, keyFormat, "right", "Right")
	return left, right, err
}

func (b *joinBuilder) side(r *relation, on ast.Expr, onKey bool, keyFormat plan.Format, stepSide, tableSide string) (plan.Node, error) {
	node := r.node
	if !b.staysPut(r, onKey) || !sameKeyFormat(r.rowFormat, keyFormat) {
		if node.Windowed() != types.NoWindow {
			return nil, errWindowedRepartition()
		}
		if r.table && !onKey {
			return nil, badStatement("Cannot repartition a TABLE source. If this is a join, make sure that the criteria uses the TABLE's key column instead of [%s]", expr.Format(on))
		}
		rekeyed, err := b.rekey(r, on, onKey, keyFormat, stepSide, tableSide)
		if err != nil {
			return nil, err
		}
		node = rekeyed
	}
	if r.joined {
		return node, nil
	}
	return b.prefixed(node, r.left), nil
}

// sameKeyFormat reports whether equal keys have equal bytes.
func sameKeyFormat(a, b plan.Format) bool {
	return a.Name == b.Name && a.Delimiter == b.Delimiter
}

func (b *joinBuilder) rekey(r *relation, on ast.Expr, onKey bool, keyFormat plan.Format, stepSide, tableSide string) (plan.Node, error) {
	plainOn := b.plain(on)
	if !r.joined {
		plainOn = unqualified(on)
	}
	t, err := b.a.typeOf(plainOn, scope(r.node, "JOIN ON"))
	if err != nil {
		return nil, badStatement("%s", err)
	}
	var name string
	if c, ok := plainOn.(*ast.ColumnRef); ok {
		name = c.Name.Name
	} else {
		name = b.names.next()
	}
	key := plan.Named{Name: name, Expr: plan.Expr{AST: plainOn, Type: t}}
	if err := checkKeyTypes([]types.Column{{Name: b.rekeyedName(r, name), Type: t}}); err != nil {
		return nil, err
	}
	step := b.prefix + "Join-" + stepSide
	switch {
	case r.table:
		step = b.prefix + tableSide + "SourceKeyed-SelectKey"
	case b.right.table:
		step = b.prefix + "Join"
	}
	rekey := &plan.Rekey{
		Input: r.node, Keys: []plan.Named{key}, Repartition: true,
		Internal: &plan.InternalTopic{Step: step, Key: internalKeyFormat(keyFormat, []plan.Named{key}), Value: r.valueFormat},
	}
	if !onKey {
		rekey.Keep = keptKeys(r.node.Schema(), rekey.Keys)
	}
	return rekey, nil
}

func (b *joinBuilder) rekeyedName(r *relation, name string) string {
	if r.joined {
		return name
	}
	return r.left.alias + "_" + name
}

func unqualified(e ast.Expr) ast.Expr {
	return ast.Rewrite(e, func(x ast.Expr) ast.Expr {
		if c, ok := x.(*ast.ColumnRef); ok && c.Source != nil {
			return &ast.ColumnRef{Span: c.Span, Name: c.Name}
		}
		return x
	})
}

// prefixed names the columns of a source after it and leaves out what the query
// does not use.
func (b *joinBuilder) prefixed(node plan.Node, f *from) plan.Node {
	proj := &plan.Project{Input: node}
	schema := node.Schema()
	for _, c := range schema.Key {
		proj.KeyNames = append(proj.KeyNames, f.alias+"_"+c.Name)
	}
	add := func(name string, t *types.Type) {
		proj.Values = append(proj.Values, plan.Named{Name: f.alias + "_" + name, Expr: plan.Expr{AST: columnRef(name), Type: t}})
	}
	for _, c := range scope(node, "").Columns {
		if c.Slot.Kind != expr.SlotKey && b.uses(f, c.Name) {
			add(c.Name, c.Type)
		}
	}
	if len(proj.Values) == 0 {
		// A row without values would look like a deleted one.
		add(types.RowTime, types.Bigint)
	}
	return proj
}

// uses reports whether the query names a column of a source.
func (b *joinBuilder) uses(f *from, column string) bool {
	if b.used == nil {
		b.used = map[[2]string]bool{}
		ast.Walk(b.sanitized, func(n ast.Node) bool {
			if c, ok := n.(*ast.ColumnRef); ok && c.Source != nil {
				b.used[[2]string{c.Source.Name, c.Name.Name}] = true
			}
			return true
		})
		for _, it := range b.items {
			for _, s := range b.sources {
				if !it.star || it.name != "" && it.name != s.alias {
					continue
				}
				for _, c := range b.starColumns(s) {
					b.used[[2]string{s.alias, c}] = true
				}
			}
		}
	}
	return b.used[[2]string{f.alias, column}]
}

// valueNames names the columns that a side gives to the join's result: its key,
// unless the result's key column carries it or it was made for the join alone,
// and its values. A side that may have no row keeps its key column in any case:
// it is NULL then, and the result's key is not.
func (b *joinBuilder) valueNames(node plan.Node, out *relation, optional bool) []string {
	schema := node.Schema()
	var names []string
	for _, c := range schema.Key {
		if c.Name == out.keyName && !optional || schema.FindValue(c.Name) >= 0 || !b.isSourceColumn(c.Name) {
			names = append(names, "")
			continue
		}
		names = append(names, c.Name)
	}
	for _, c := range schema.Value {
		if c.Name == out.keyName && !optional {
			names = append(names, "")
			continue
		}
		names = append(names, c.Name)
	}
	return names
}

// isSourceColumn reports whether a name is that of a source's column rather than
// one made up for a join.
func (b *joinBuilder) isSourceColumn(name string) bool {
	for _, f := range b.sources {
		if column, ok := strings.CutPrefix(name, f.alias+"_"); ok && f.has(column) {
			return true
		}
	}
	return false
}

// buildForeign plans a join on a foreign key. The left rows keep their key.
func (b *joinBuilder) buildForeign(out *relation) (*relation, error) {
	out.rowFormat, out.foreign, out.table = b.left.rowFormat, b.left.left, true
	rightNode := b.right.node
	if hasKeySchema(b.right.rowFormat) {
		rekeyed, err := b.rekey(b.right, b.c.right, true, b.left.rowFormat, "right", "Right")
		if err != nil {
			return nil, err
		}
		rightNode = rekeyed
	}
	left, right := b.prefixed(b.left.node, b.left.left), b.prefixed(rightNode, b.right.left)
	fk := b.plain(b.c.left)
	t, err := b.a.typeOf(fk, scope(left, "JOIN ON"))
	if err != nil {
		return nil, badStatement("%s", err)
	}
	n := &plan.ForeignKeyJoin{
		Join: plan.Join{
			Type: joinTypes[b.j.Type], LeftInput: left, RightInput: right, Step: b.prefix,
		},
		ForeignKey: plan.Expr{AST: fk, Type: t},
	}
	for _, c := range left.Schema().Key {
		n.KeyNames = append(n.KeyNames, c.Name)
		n.LeftNames = append(n.LeftNames, "")
	}
	for _, c := range left.Schema().Value {
		n.LeftNames = append(n.LeftNames, c.Name)
	}
	n.RightNames = b.valueNames(right, out, true)
	out.node = n
	return out, nil
}

package exec

import (
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// AggregateStep groups rows and folds each group, by window if Window is set.
// Rows with a NULL among their group columns and rows without value are left
// out. Every row that is taken in gives the group's new result, also when it is
// the same as before. On a changelog (Undo) the row replaced is taken out of its
// group first; when the group changes, the old group's result comes before the
// new group's.
//
// The result's time is the largest of the rows in the group (and window); a
// session's is its end.
type AggregateStep struct {
	Input Step
	// Columns is the shape of the result: the groups as key, the results of the
	// calls as values.
	Columns *types.Schema
	Groups  []Eval
	// Args are the arguments of all calls, computed before rows are
	// repartitioned; ArgTypes are their types.
	Args     []Eval
	ArgTypes []*types.Type
	Calls    []AggregateCall
	// Key writes the groups; its bytes are the order of the store.
	Key     format.Serde
	Window  *Window
	Undo    bool
	Through *Repartition
	Store   string
	Name    string // for the processing log
}

// AggregateCall is the call of an aggregate function; Args are positions in
// AggregateStep.Args.
type AggregateCall struct {
	Function Aggregator
	Args     []int
}

// Aggregator is an aggregate function as the steps here use it; package function
// says what its methods do.
type Aggregator interface {
	StateType() *types.Type
	Init() types.Value
	Add(state types.Value, args []types.Value, seq int64) (types.Value, error)
	Undo(state types.Value, args []types.Value) (types.Value, error)
	Merge(a, b types.Value) (types.Value, error)
	Result(state types.Value) (types.Value, error)
}

// WindowType is the kind of a WINDOW clause.
type WindowType uint8

// The windows of ksqlDB. Tumbling is Hopping with equal size and advance.
const (
	Hopping WindowType = iota + 1
	Session
)

// Window is a WINDOW clause; all lengths are in milliseconds of stream time.
// Size is the gap of sessions. Final holds rows back until their window closes
// (EMIT FINAL).
type Window struct {
	Type      WindowType
	Size      int64
	Advance   int64
	Grace     int64
	Retention int64
	Final     bool
}

func (s *AggregateStep) schema() *types.Schema { return s.Columns }

func (s *AggregateStep) plumb(a *assembly, needOld bool) (*pipe, error) {
	in, err := a.plumb(s.Input, s.Undo)
	if err != nil {
		return nil, err
	}
	group := func(t *Task, down operator) operator { return newGroupBy(s, t, down) }
	grouped := &pipe{sub: in.sub, keyed: in.keyed, wire: func(t *Task, down operator) error { return in.wire(t, group(t, down)) }}
	if s.Through != nil {
		grouped = s.Through.plumb(a, in, s.ArgTypes, s.Name, group)
	}
	store := a.unique(s.Store)
	var retention int64
	if s.Window != nil {
		retention = s.Window.Retention
	}
	grouped.sub.addStore(store, retention)
	return &pipe{sub: grouped.sub, keyed: grouped.keyed, wire: func(t *Task, down operator) error {
		fold, err := newFolder(s, t, store, needOld)
		if err != nil {
			return err
		}
		op, err := s.operator(fold, t, down)
		if err != nil {
			return err
		}
		return grouped.wire(t, op)
	}}, nil
}

func (s *AggregateStep) operator(f *folder, t *Task, down operator) (operator, error) {
	switch {
	case s.Window == nil:
		return &aggregate{folder: f, down: down}, nil
	case s.Window.Type == Session:
		return newSessionAggregate(f, t, down)
	default:
		return newWindowAggregate(f, t, down)
	}
}

// groupBy makes rows of groups and arguments. On a changelog its outputs say
// what to take out of a group and what to add.
type groupBy struct {
	step     *AggregateStep
	task     *Task
	down     operator
	out      change
	row      types.Row
	groups   []types.Value
	args     []types.Value
	oldGroup []types.Value
	oldArgs  []types.Value
	nulls    []string // texts for groups that are NULL
	failed   []string // texts for groups that can't be computed
	failures []string // texts for arguments that can't be computed
}

func newGroupBy(s *AggregateStep, t *Task, down operator) *groupBy {
	g := &groupBy{
		step: s, task: t, down: down,
		groups: make([]types.Value, len(s.Groups)), args: make([]types.Value, len(s.Args)),
	}
	if s.Undo {
		g.oldGroup = make([]types.Value, len(s.Groups))
		g.oldArgs = make([]types.Value, len(s.Args))
	}
	for i := range s.Groups {
		g.nulls = append(g.nulls, fmt.Sprintf("Group-by column with index %d resolved to null. The source row will be excluded from the table.", i))
		g.failed = append(g.failed, fmt.Sprintf("Error calculating group-by column with index %d. The source row will be excluded from the table", i))
	}
	for i := range s.Args {
		g.failures = append(g.failures, fmt.Sprintf("Error computing the argument with index %d of the aggregate functions", i))
	}
	return g
}

func (o *groupBy) process(c *change) error {
	o.out.row = c.row
	o.out.old = nil
	if o.step.Window != nil {
		o.out.row.Window = types.Window{}
	}
	added := c.row.Value != nil && o.group(&c.row, o.groups, o.args)
	if !o.step.Undo {
		if !added {
			return nil
		}
		o.out.row.Key, o.out.row.Value = o.groups, o.args
		return o.down.process(&o.out)
	}
	return o.replace(c, added)
}

// replace hands on a change of a table's row.
func (o *groupBy) replace(c *change, added bool) error {
	removed := false
	if c.old != nil {
		o.row = c.row
		o.row.Value, o.row.Time = c.old, c.oldTime
		removed = o.group(&o.row, o.oldGroup, o.oldArgs)
	}
	if removed && (!added || !o.sameGroup()) {
		o.out.row.Key, o.out.row.Value = o.oldGroup, nil
		o.out.old, o.out.oldTime = o.oldArgs, c.oldTime
		if err := o.down.process(&o.out); err != nil {
			return err
		}
		removed = false
	}
	if !added {
		return nil
	}
	o.out.row.Key, o.out.row.Value = o.groups, o.args
	o.out.old = nil
	if removed {
		o.out.old, o.out.oldTime = o.oldArgs, c.oldTime
	}
	return o.down.process(&o.out)
}

func (o *groupBy) sameGroup() bool {
	for i, c := range o.step.Columns.Key {
		if !types.Equal(c.Type, o.groups[i], o.oldGroup[i]) {
			return false
		}
	}
	return true
}

// group computes the group and the arguments of a row; false leaves it out.
func (o *groupBy) group(row *types.Row, groups, args []types.Value) bool {
	for i, eval := range o.step.Groups {
		v, err := eval(row)
		switch {
		case err != nil:
			o.task.problem(RecordError, o.step.Name, "", o.failed[i]+": "+err.Error(), errors.Unwrap(err))
			return false
		case v.IsNull():
			o.task.problem(RecordError, o.step.Name, "", o.nulls[i], nil)
			return false
		}
		groups[i] = v
	}
	o.task.evaluate(o.step.Args, row, args, o.step.Name, o.failures)
	return true
}

// folder computes the states and results of groups and keeps the states.
type folder struct {
	step       *AggregateStep
	task       *Task
	store      state.Store
	storeName  string
	seq        *number
	needOld    bool
	stateTypes []*types.Type
	states     []types.Value
	next       []types.Value
	args       []types.Value
	results    []types.Value
	oldResults []types.Value
	key        []byte
	value      []byte
}

func newFolder(s *AggregateStep, t *Task, store string, needOld bool) (*folder, error) {
	f := &folder{
		step: s, task: t, storeName: store, needOld: needOld,
		results: make([]types.Value, len(s.Calls)), oldResults: make([]types.Value, len(s.Calls)),
		next: make([]types.Value, len(s.Calls)),
	}
	widest := 0
	for _, c := range s.Calls {
		f.stateTypes = append(f.stateTypes, c.Function.StateType())
		widest = max(widest, len(c.Args))
	}
	f.args = make([]types.Value, widest)
	var err error
	if f.store, err = t.open(store, f.stateTypes); err != nil {
		return nil, err
	}
	if f.seq, err = t.number(store+"/sequence", 0); err != nil {
		return nil, err
	}
	return f, nil
}

// load gives the states kept under a key, valid until the next load.
func (f *folder) load(key []byte) (time int64, states []types.Value, err error) {
	data, ok, err := f.store.Get(key)
	if err != nil {
		return 0, nil, fmt.Errorf("reading store %s: %w", f.storeName, err)
	}
	if !ok {
		return 0, nil, nil
	}
	if time, f.states, err = codec.DecodeRow(data, f.stateTypes, f.states); err != nil {
		return 0, nil, fmt.Errorf("reading store %s: %w", f.storeName, err)
	}
	return time, f.states, nil
}

func (f *folder) save(key []byte, time int64, states []types.Value) error {
	f.value = codec.AppendRow(f.value[:0], time, f.stateTypes, states)
	if err := f.store.Put(key, f.value); err != nil {
		return fmt.Errorf("writing store %s: %w", f.storeName, err)
	}
	return nil
}

func (f *folder) init(into []types.Value) {
	for i, c := range f.step.Calls {
		into[i] = c.Function.Init()
	}
}

// add folds a row's arguments into the states. A call that fails, such as a SUM
// that leaves its type, ends the task, as in ksqlDB: leaving the row out would
// make all later results wrong.
func (f *folder) add(states, args []types.Value) error {
	f.seq.set(f.seq.value + 1)
	for i, c := range f.step.Calls {
		s, err := c.Function.Add(states[i], f.pick(c, args), f.seq.value)
		if err != nil {
			return f.failed("adding a row to", i, err)
		}
		states[i] = s
	}
	return nil
}

func (f *folder) failed(what string, call int, err error) error {
	column := f.step.Columns.Value[call].Name
	f.task.problem(RecordError, f.step.Name, "", "Error applying the aggregate function of column "+column, err)
	return fmt.Errorf("%s the aggregate of column %s: %w", what, column, err)
}

// undo takes a row's arguments out of the states.
func (f *folder) undo(states, args []types.Value) error {
	for i, c := range f.step.Calls {
		s, err := c.Function.Undo(states[i], f.pick(c, args))
		if err != nil {
			return f.failed("taking a row out of", i, err)
		}
		states[i] = s
	}
	return nil
}

func (f *folder) pick(c AggregateCall, args []types.Value) []types.Value {
	picked := f.args[:len(c.Args)]
	for i, p := range c.Args {
		picked[i] = args[p]
	}
	return picked
}

// result computes the results of states.
func (f *folder) result(states, into []types.Value) ([]types.Value, error) {
	for i, c := range f.step.Calls {
		v, err := c.Function.Result(states[i])
		if err != nil {
			return nil, f.failed("computing", i, err)
		}
		into[i] = v
	}
	return into, nil
}

// groupKey gives the bytes of a group behind those of prefix.
func (f *folder) groupKey(prefix []byte, group []types.Value) ([]byte, error) {
	key, err := f.step.Key.Serialize(prefix, group)
	if err != nil {
		return nil, f.task.serializationError(f.step.Name, "key", f.storeName, err)
	}
	return key, nil
}

// aggregate folds rows without windows.
type aggregate struct {
	*folder
	down operator
	out  change
}

func (o *aggregate) process(c *change) error {
	key, err := o.groupKey(o.key[:0], c.row.Key)
	if err != nil {
		return err
	}
	o.key = key
	if c.row.Window.Kind != types.NoWindow {
		o.key = format.AppendWindow(o.key, c.row.Window)
	}
	time, states, err := o.load(o.key)
	if err != nil {
		return err
	}
	o.out.row = c.row
	o.out.old = nil
	if states != nil {
		if o.needOld {
			o.out.oldTime = time
			if o.out.old, err = o.result(states, o.oldResults); err != nil {
				return err
			}
		}
		o.out.row.Time = max(c.row.Time, time)
	}
	if states, err = o.fold(c, states); err != nil {
		return err
	}
	if states == nil {
		return o.down.process(&o.out)
	}
	if err := o.save(o.key, o.out.row.Time, states); err != nil {
		return err
	}
	if o.out.row.Value, err = o.result(states, o.results); err != nil {
		return err
	}
	return o.down.process(&o.out)
}

// fold takes out and adds what the change says. It gives nil when there is
// nothing to take out of.
func (o *aggregate) fold(c *change, states []types.Value) ([]types.Value, error) {
	if states != nil && c.old != nil {
		if err := o.undo(states, c.old); err != nil {
			return nil, err
		}
	}
	if c.row.Value == nil {
		return states, nil
	}
	if states == nil {
		states = o.next
		o.init(states)
	}
	return states, o.add(states, c.row.Value)
}

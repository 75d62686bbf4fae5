package plan

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// Inputs of the nodes: none for a source, two for joins, one otherwise.

func (n *Source) Inputs() []Node      { return nil }
func (n *Filter) Inputs() []Node      { return []Node{n.Input} }
func (n *Project) Inputs() []Node     { return []Node{n.Input} }
func (n *FlatMap) Inputs() []Node     { return []Node{n.Input} }
func (n *Rekey) Inputs() []Node       { return []Node{n.Input} }
func (n *Aggregate) Inputs() []Node   { return []Node{n.Input} }
func (n *Suppress) Inputs() []Node    { return []Node{n.Input} }
func (j *Join) Inputs() []Node        { return []Node{j.LeftInput, j.RightInput} }
func (n *Sink) Inputs() []Node        { return []Node{n.Input} }
func (n *Output) Inputs() []Node      { return []Node{n.Input} }
func (n *Materialize) Inputs() []Node { return []Node{n.Input} }

// Changelog of the nodes: what makes a table and what hands its input on.

func (n *Source) Changelog() bool           { return n.Table }
func (n *Filter) Changelog() bool           { return n.Input.Changelog() }
func (n *Project) Changelog() bool          { return n.Input.Changelog() }
func (n *FlatMap) Changelog() bool          { return false }
func (n *Rekey) Changelog() bool            { return n.Input.Changelog() }
func (n *Aggregate) Changelog() bool        { return true }
func (n *Suppress) Changelog() bool         { return true }
func (n *StreamStreamJoin) Changelog() bool { return false }
func (n *StreamTableJoin) Changelog() bool  { return false }
func (n *TableTableJoin) Changelog() bool   { return true }
func (n *ForeignKeyJoin) Changelog() bool   { return true }
func (n *Sink) Changelog() bool             { return n.Input.Changelog() }
func (n *Output) Changelog() bool           { return n.Input.Changelog() }
func (n *Materialize) Changelog() bool      { return true }

// Windowed of the nodes: windows come from sources and windowed aggregates.

func (n *Source) Windowed() types.WindowKind  { return n.Topic.Window }
func (n *Filter) Windowed() types.WindowKind  { return n.Input.Windowed() }
func (n *Project) Windowed() types.WindowKind { return n.Input.Windowed() }
func (n *FlatMap) Windowed() types.WindowKind { return n.Input.Windowed() }
func (n *Rekey) Windowed() types.WindowKind   { return types.NoWindow }

// Windowed of an aggregate is decided by its WINDOW clause; without one groups
// keep the windows of the input's keys.
func (n *Aggregate) Windowed() types.WindowKind {
	switch {
	case n.Window == nil:
		return n.Input.Windowed()
	case n.Window.Type == Session:
		return types.SessionWindow
	default:
		return types.TimeWindow
	}
}

func (n *Suppress) Windowed() types.WindowKind    { return n.Input.Windowed() }
func (j *Join) Windowed() types.WindowKind        { return j.LeftInput.Windowed() }
func (n *Sink) Windowed() types.WindowKind        { return n.Input.Windowed() }
func (n *Output) Windowed() types.WindowKind      { return n.Input.Windowed() }
func (n *Materialize) Windowed() types.WindowKind { return n.Input.Windowed() }

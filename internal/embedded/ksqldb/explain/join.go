package explain

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// join describes a join: each side is read, given the join's key where it has
// another one, and its columns get the source's name in front.
func (d *describer) join(n plan.Node, j *plan.Join) *step {
	from, _ := d.from.(*ast.Join)
	var left ast.Relation
	var right *ast.AliasedSource
	if from != nil {
		left, right = from.Left, from.Right
	}
	s := &step{kind: kindJoin, name: j.Step + "Join", prefix: j.Step, node: n, table: n.Changelog()}
	s.inputs = []*step{d.side(j.LeftInput, left, j.Step, "Left"), d.side(j.RightInput, right, j.Step, "Right")}
	s.key = n.Schema().Key
	s.value = append(append(s.value, s.inputs[0].value...), s.inputs[1].value...)
	for _, k := range s.key {
		if find(s.value, k.Name) < 0 {
			s.value = append(s.value, k) // so that expressions can use it
		}
	}
	return s
}

func find(columns []types.Column, name string) int {
	for i, c := range columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// side describes what one side of a join does before it meets the other.
func (d *describer) side(n plan.Node, from ast.Relation, prefix, name string) *step {
	if inner, ok := from.(*ast.Join); ok {
		nested := &describer{query: d.query, from: inner}
		return nested.step(skipProjects(n))
	}
	alias := ""
	if aliased, ok := from.(*ast.AliasedSource); ok && aliased != nil {
		alias = aliased.Ref() + "_"
	}
	var keyed *plan.Rekey
	for {
		switch x := n.(type) {
		case *plan.Project:
			n = x.Input
			continue
		case *plan.Rekey:
			keyed, n = x, x.Input
			continue
		}
		break
	}
	src, ok := n.(*plan.Source)
	if !ok {
		return d.step(n)
	}
	s := source(src, "KafkaTopic_"+prefix+name)
	if keyed != nil {
		s = rekey(s, plain(keyed, alias), prefix+name+"SourceKeyed")
	}
	aliased := above(s, kindProject, "PrependAlias"+prefix+name, src)
	aliased.key = prefixed(s.key, alias)
	aliased.value = prefixed(s.value, alias)
	return aliased
}

// plain takes the source's name away from the keys of a re-key, which the plan
// may do before or after.
func plain(n *plan.Rekey, alias string) *plan.Rekey {
	out := &plan.Rekey{Input: n.Input}
	for _, k := range n.Keys {
		if len(k.Name) > len(alias) && k.Name[:len(alias)] == alias {
			k.Name = k.Name[len(alias):]
		}
		out.Keys = append(out.Keys, k)
	}
	return out
}

func skipProjects(n plan.Node) plan.Node {
	for {
		p, ok := n.(*plan.Project)
		if !ok {
			return n
		}
		n = p.Input
	}
}

func prefixed(columns []types.Column, prefix string) []types.Column {
	out := make([]types.Column, len(columns))
	for i, c := range columns {
		out[i] = types.Column{Name: prefix + c.Name, Type: c.Type}
	}
	return out
}

package build

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var joinTypes = map[plan.JoinType]exec.JoinType{
	plan.Inner: exec.Inner, plan.Left: exec.Left, plan.Right: exec.Right, plan.Full: exec.Full,
}

// join builds what all joins share. The key of the left side is written in its
// own format, which is the one that both sides are joined in.
func (b *builder) join(j *plan.Join, schema *types.Schema) (exec.Join, error) {
	out := exec.Join{
		Type: joinTypes[j.Type], Columns: schema, Name: j.Step + "Join",
		LeftPick: picked(j.LeftNames), RightPick: picked(j.RightNames),
	}
	above := b.topic
	defer func() { b.topic = above }()
	var err error
	b.topic = j.Step + "KafkaTopic_Left"
	if out.Left, err = b.node(j.LeftInput); err != nil {
		return out, err
	}
	b.topic = j.Step + "KafkaTopic_Right"
	if out.Right, err = b.node(j.RightInput); err != nil {
		return out, err
	}
	key := j.LeftInput.Schema().Key
	if len(key) == 0 {
		return out, fmt.Errorf("building a plan: the left side of %sJoin has no key", j.Step)
	}
	out.Key, err = b.keySerde(keyFormat(j.LeftInput), key, b.changelog(j.Step+"KafkaTopic_Left-Reduce"), "")
	return out, err
}

// picked lists the positions of the columns that have a name in the result.
func picked(names []string) []int {
	var at []int
	for i, name := range names {
		if name != "" {
			at = append(at, i)
		}
	}
	return at
}

func (b *builder) streamStreamJoin(n *plan.StreamStreamJoin) (exec.Step, error) {
	j, err := b.join(&n.Join, n.Schema())
	if err != nil {
		return nil, err
	}
	s := &exec.StreamStreamJoin{
		Join: j, Before: n.Before.Milliseconds(), After: n.After.Milliseconds(),
		LeftStore: n.Step + "Join-this", RightStore: n.Step + "Join-other", OuterStore: n.Step + "Join-outer",
	}
	if n.Grace != nil {
		grace := n.Grace.Milliseconds()
		s.Grace = &grace
	}
	return s, nil
}

func (b *builder) streamTableJoin(n *plan.StreamTableJoin) (exec.Step, error) {
	j, err := b.join(&n.Join, n.Schema())
	if err != nil {
		return nil, err
	}
	return &exec.StreamTableJoin{Join: j, Store: n.Step + "KafkaTopic_Right-Reduce"}, nil
}

func (b *builder) tableTableJoin(n *plan.TableTableJoin) (exec.Step, error) {
	j, err := b.join(&n.Join, n.Schema())
	if err != nil {
		return nil, err
	}
	return &exec.TableTableJoin{
		Join: j, LeftStore: n.Step + "KafkaTopic_Left-Reduce", RightStore: n.Step + "KafkaTopic_Right-Reduce",
	}, nil
}

func (b *builder) foreignKeyJoin(n *plan.ForeignKeyJoin) (exec.Step, error) {
	j, err := b.join(&n.Join, n.Schema())
	if err != nil {
		return nil, err
	}
	s := &exec.ForeignKeyJoin{
		Join:          j,
		Subscriptions: b.options.ApplicationID + "-" + n.Step + "FK-JOIN-SUBSCRIPTION-REGISTRATION-topic",
		Responses:     b.options.ApplicationID + "-" + n.Step + "FK-JOIN-SUBSCRIPTION-RESPONSE-topic",
		LeftStore:     n.Step + "KafkaTopic_Left-Reduce", RightStore: n.Step + "KafkaTopic_Right-Reduce",
		SubscriptionStore: n.Step + "FK-JOIN-SUBSCRIPTION-STATE-STORE", ResultStore: n.Step + "FK-JOIN-RESULT",
	}
	b.in(j.Name)
	if s.ForeignKey, err = b.eval(n.ForeignKey, n.LeftInput); err != nil {
		return nil, err
	}
	right := n.RightInput.Schema().Key
	s.ForeignKeySerde, err = b.keySerde(keyFormat(n.RightInput), right, b.changelog(n.Step+"KafkaTopic_Right-Reduce"), "")
	return s, err
}

// keyFormat is the format that the keys of a node's rows were written in last.
func keyFormat(n plan.Node) plan.Format {
	switch n := n.(type) {
	case *plan.Source:
		// What is stored is written with schemas of its own.
		f := n.Topic.Key
		f.SchemaID, f.FullName = nil, ""
		return f
	case *plan.Rekey:
		if n.Internal != nil {
			return n.Internal.Key
		}
	case *plan.Aggregate:
		return n.KeyFormat
	}
	if in := n.Inputs(); len(in) > 0 {
		return keyFormat(in[0])
	}
	return plan.Format{}
}

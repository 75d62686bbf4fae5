package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/sr"
)

// State says how an item of a definition compares with the cluster.
type State string

const (
	// Unchanged: the cluster has it.
	Unchanged State = "ok"
	// Create: the cluster lacks it; Apply makes it.
	Create State = "create"
	// Change: the cluster has it differently; Apply changes it.
	Change State = "change"
	// Conflict: the cluster has it differently and Apply must not change it.
	Conflict State = "conflict"
)

// Kind says what an item is.
type Kind string

const (
	// KindTopic is a topic.
	KindTopic Kind = "topic"
	// KindSchema is a schema of a registry subject.
	KindSchema Kind = "schema"
)

// Item is one topic or schema of a definition, compared with the cluster.
type Item struct {
	Kind  Kind
	Name  string
	State State
	// Detail says what is missing or different, for people. May be empty.
	Detail string

	apply func(ctx context.Context) error
}

// Cluster is a Kafka cluster with its Schema Registry.
type Cluster struct {
	Kafka    *kadm.Client
	Registry *sr.Client
}

// Plan is the difference between a definition and a cluster.
type Plan struct {
	// Items has one item for each topic and each schema of the definition, in
	// its order.
	Items []Item
}

// ErrConflict means that a plan has items that must not be changed.
var ErrConflict = errors.New("the cluster differs in a way that isn't changed automatically")

// NewPlan compares a definition with a cluster. It changes nothing.
func NewPlan(ctx context.Context, def Definition, cluster Cluster) (Plan, error) {
	var plan Plan
	items, err := planTopics(ctx, def.Topics, cluster.Kafka)
	if err != nil {
		return Plan{}, err
	}
	plan.Items = items
	for _, s := range def.Schemas {
		item, err := planSchema(ctx, s, cluster.Registry)
		if err != nil {
			return Plan{}, err
		}
		plan.Items = append(plan.Items, item)
	}
	return plan, nil
}

// Pending gives the items that are not Unchanged.
func (p Plan) Pending() []Item {
	var pending []Item
	for _, item := range p.Items {
		if item.State != Unchanged {
			pending = append(pending, item)
		}
	}
	return pending
}

// Apply makes the difference, item by item. With a conflict in the plan nothing
// is changed and the error is ErrConflict. After another error what was made
// stays; a new plan goes on from there.
func (p Plan) Apply(ctx context.Context) error {
	var conflicts []string
	for _, item := range p.Items {
		if item.State == Conflict {
			conflicts = append(conflicts, fmt.Sprintf("%s %s: %s", item.Kind, item.Name, item.Detail))
		}
	}
	if len(conflicts) > 0 {
		return fmt.Errorf("%w: %s", ErrConflict, strings.Join(conflicts, "; "))
	}
	for _, item := range p.Items {
		if item.apply == nil {
			continue
		}
		if err := item.apply(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Apply plans and applies a definition.
func Apply(ctx context.Context, def Definition, cluster Cluster) (Plan, error) {
	plan, err := NewPlan(ctx, def, cluster)
	if err != nil {
		return Plan{}, err
	}
	return plan, plan.Apply(ctx)
}

func planTopics(ctx context.Context, topics []Topic, adm *kadm.Client) ([]Item, error) {
	// What the client saw a moment ago is not what the cluster has now: asking
	// for operations too makes it ask anew.
	existing, err := adm.ListTopics(kadm.WithAuthorizedOps(ctx))
	if err != nil {
		return nil, fmt.Errorf("listing the topics: %w", err)
	}
	var present []string
	for _, t := range topics {
		if existing.Has(t.Name) {
			present = append(present, t.Name)
		}
	}
	configs, err := describeConfigs(ctx, adm, present)
	if err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(topics))
	for _, t := range topics {
		if !existing.Has(t.Name) {
			items = append(items, createTopic(t, adm))
			continue
		}
		items = append(items, compareTopic(t, existing[t.Name], configs[t.Name], adm))
	}
	return items, nil
}

// describeConfigs gives the settings of topics, by topic and name.
func describeConfigs(ctx context.Context, adm *kadm.Client, topics []string) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	if len(topics) == 0 {
		return all, nil
	}
	described, err := adm.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("describing the topics' settings: %w", err)
	}
	for _, resource := range described {
		if resource.Err != nil {
			return nil, fmt.Errorf("describing the settings of topic %s: %w", resource.Name, resource.Err)
		}
		values := map[string]string{}
		for _, c := range resource.Configs {
			values[c.Key] = c.MaybeValue()
		}
		all[resource.Name] = values
	}
	return all, nil
}

func createTopic(t Topic, adm *kadm.Client) Item {
	detail := fmt.Sprintf("%d partitions", t.Partitions)
	if t.Replicas > 0 {
		detail += fmt.Sprintf(", %d replicas", t.Replicas)
	}
	configs := map[string]*string{}
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		value := t.Config[name]
		configs[name] = &value
		detail += fmt.Sprintf(", %s=%s", name, value)
	}
	return Item{Kind: KindTopic, Name: t.Name, State: Create, Detail: detail, apply: func(ctx context.Context) error {
		_, err := adm.CreateTopic(ctx, t.Partitions, t.Replicas, configs, t.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // another apply was faster
			return fmt.Errorf("creating topic %s: %w", t.Name, err)
		}
		return nil
	}}
}

func compareTopic(want Topic, have kadm.TopicDetail, configs map[string]string, adm *kadm.Client) Item {
	item := Item{Kind: KindTopic, Name: want.Name, State: Unchanged}
	if have.Err != nil {
		item.State, item.Detail = Conflict, fmt.Sprintf("the cluster says: %v", have.Err)
		return item
	}
	var conflicts []string
	if n := int32(len(have.Partitions)); n != want.Partitions {
		conflicts = append(conflicts, fmt.Sprintf("has %d partitions instead of %d; the number can't be changed without moving keys: delete the topic while nothing uses it, or create it anew under another name", n, want.Partitions))
	}
	if n := have.Partitions.NumReplicas(); want.Replicas > 0 && n != int(want.Replicas) {
		conflicts = append(conflicts, fmt.Sprintf("has %d replicas instead of %d; reassign its partitions with Kafka's own tools", n, want.Replicas))
	}
	var changes []string
	var alter []kadm.AlterConfig
	for _, name := range slices.Sorted(maps.Keys(want.Config)) {
		value := want.Config[name]
		if have, ok := configs[name]; ok && have == value {
			continue
		}
		changes = append(changes, fmt.Sprintf("%s: %s -> %s", name, orUnset(configs, name), value))
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	switch {
	case len(conflicts) > 0:
		item.State, item.Detail = Conflict, strings.Join(append(conflicts, changes...), "; ")
	case len(changes) > 0:
		item.State, item.Detail = Change, strings.Join(changes, ", ")
		item.apply = func(ctx context.Context) error { return alterTopic(ctx, adm, want.Name, alter) }
	}
	return item
}

func orUnset(configs map[string]string, name string) string {
	if v, ok := configs[name]; ok {
		return v
	}
	return "unset"
}

func alterTopic(ctx context.Context, adm *kadm.Client, topic string, alter []kadm.AlterConfig) error {
	responses, err := adm.AlterTopicConfigs(ctx, alter, topic)
	if err != nil {
		return fmt.Errorf("changing the settings of topic %s: %w", topic, err)
	}
	for _, r := range responses {
		if r.Err != nil {
			return fmt.Errorf("changing the settings of topic %s: %w", topic, r.Err)
		}
	}
	return nil
}

func planSchema(ctx context.Context, s Schema, registry *sr.Client) (Item, error) {
	item := Item{Kind: KindSchema, Name: s.Subject, State: Unchanged}
	schema := sr.Schema{Schema: s.Text}
	register := func(ctx context.Context) error {
		if _, err := registry.CreateSchema(ctx, s.Subject, schema); err != nil {
			return fmt.Errorf("registering the schema of %s: %w", s.Subject, err)
		}
		return nil
	}
	latest, err := registry.SchemaByVersion(ctx, s.Subject, -1)
	if notFound(err) {
		item.State, item.apply = Create, register
		return item, nil
	}
	if err != nil {
		return item, fmt.Errorf("looking up the latest schema of %s: %w", s.Subject, err)
	}
	registered, err := registry.LookupSchema(ctx, s.Subject, schema)
	switch {
	case err == nil && registered.Version == latest.Version:
		item.Detail = fmt.Sprintf("id %d, version %d", registered.ID, registered.Version)
		return item, nil
	case err == nil:
		item.State = Conflict
		item.Detail = fmt.Sprintf("version %d was registered after this one (version %d) and is what writers take; delete it, or bring the definition up to it", latest.Version, registered.Version)
		return item, nil
	case !notFound(err):
		return item, fmt.Errorf("looking up the schema of %s: %w", s.Subject, err)
	}
	verdict, err := registry.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), s.Subject, -1, schema)
	if err != nil {
		return item, fmt.Errorf("checking the schema of %s against version %d: %w", s.Subject, latest.Version, err)
	}
	if !verdict.Is {
		item.State = Conflict
		item.Detail = fmt.Sprintf("incompatible with version %d: %s", latest.Version, strings.Join(verdict.Messages, ", "))
		return item, nil
	}
	item.State, item.apply = Change, register
	item.Detail = fmt.Sprintf("differs from version %d, compatibly", latest.Version)
	return item, nil
}

func notFound(err error) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.StatusCode == http.StatusNotFound
}

package connectors

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Action is what becomes of a connector.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Keep   Action = "ok"
	Prune  Action = "delete"
	// Extra is a connector that no file describes, and that stays.
	Extra Action = "extra"
)

// Item is one connector of a plan.
type Item struct {
	Name   string `json:"name"`
	Action Action `json:"action"`
	// Changes are the settings that differ, as "key: old → new".
	Changes []string `json:"changes,omitempty"`

	config map[string]string
}

// Plan is what applying a definition would do.
type Plan struct {
	Items []Item

	client *Client
}

// secretWords are parts of the names of settings whose values are not shown.
var secretWords = []string{"password", "secret", "user.info", "token"}

func shown(key, value string) string {
	for _, word := range secretWords {
		if strings.Contains(strings.ToLower(key), word) {
			return "(hidden)"
		}
	}
	return fmt.Sprintf("%q", value)
}

// NewPlan compares a definition with a cluster. Every configuration is validated by
// the cluster first; problems are an error that tells all of them. With prune,
// connectors that no file describes are deleted.
func NewPlan(ctx context.Context, def Definition, client *Client, prune bool) (Plan, error) {
	names, err := client.Names(ctx)
	if err != nil {
		return Plan{}, fmt.Errorf("listing the connectors of the cluster: %w", err)
	}
	plan := Plan{client: client}
	var problems []string
	for _, c := range def.Connectors {
		found, err := client.Validate(ctx, c.Config)
		if err != nil {
			return Plan{}, fmt.Errorf("validating %s: %w", c.File, err)
		}
		for _, p := range found {
			problems = append(problems, c.File+": "+p)
		}
		item := Item{Name: c.Name, Action: Create, config: c.Config}
		if slices.Contains(names, c.Name) {
			current, err := client.Config(ctx, c.Name)
			if err != nil {
				return Plan{}, fmt.Errorf("reading the configuration of %s: %w", c.Name, err)
			}
			if item.Changes = diff(current, c.Config); len(item.Changes) > 0 {
				item.Action = Update
			} else {
				item.Action = Keep
			}
		}
		plan.Items = append(plan.Items, item)
	}
	if len(problems) > 0 {
		return Plan{}, fmt.Errorf("validating the connectors: %d problem(s), nothing was changed:\n%s", len(problems), strings.Join(problems, "\n"))
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.ContainsFunc(def.Connectors, func(c Connector) bool { return c.Name == name }) {
			continue
		}
		action := Extra
		if prune {
			action = Prune
		}
		plan.Items = append(plan.Items, Item{Name: name, Action: action})
	}
	return plan, nil
}

func diff(old, wanted map[string]string) []string {
	var changes []string
	keys := maps.Clone(old)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, wanted)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, had := old[key]
		value, has := wanted[key]
		switch {
		case !had:
			changes = append(changes, fmt.Sprintf("%s: (none) → %s", key, shown(key, value)))
		case !has:
			changes = append(changes, fmt.Sprintf("%s: %s → (none)", key, shown(key, was)))
		case was != value:
			changes = append(changes, fmt.Sprintf("%s: %s → %s", key, shown(key, was), shown(key, value)))
		}
	}
	return changes
}

// Apply does what the plan says. A connector that stays and has failed is restarted.
func (p Plan) Apply(ctx context.Context) error {
	for _, item := range p.Items {
		var err error
		switch item.Action {
		case Create, Update:
			err = p.client.Put(ctx, item.Name, item.config)
		case Prune:
			err = p.client.Delete(ctx, item.Name)
		case Keep:
			err = p.revive(ctx, item.Name)
		}
		if err != nil {
			return fmt.Errorf("applying the connector %s: %w", item.Name, err)
		}
	}
	return nil
}

func (p Plan) revive(ctx context.Context, name string) error {
	status, err := p.client.Status(ctx, name)
	if err != nil || status.Failure() == nil {
		return err
	}
	return p.client.Restart(ctx, name)
}

const (
	pollPause    = 5 * time.Millisecond
	maxPollPause = 500 * time.Millisecond
	// failureGrace is how long a failure is taken for what was before a restart.
	failureGrace = 2 * time.Second
)

// Wait waits until connectors and their tasks run. A failure that stays ends the
// wait with an error that has its trace.
func (c *Client) Wait(ctx context.Context, names []string) error {
	for _, name := range names {
		pause, since := pollPause, time.Now()
		for {
			status, err := c.Status(ctx, name)
			if err != nil {
				return fmt.Errorf("waiting for the connector %s: %w", name, err)
			}
			if status.Running() {
				break
			}
			if failure := status.Failure(); failure != nil && time.Since(since) > failureGrace {
				return failure
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for the connector %s, which is %s with %d task(s): %w", name, status.Connector.State, len(status.Tasks), ctx.Err())
			case <-time.After(pause):
			}
			pause = min(pause*2, maxPollPause)
		}
	}
	return nil
}

// Names lists the connectors of the definition.
func (d Definition) Names() []string {
	names := make([]string, len(d.Connectors))
	for i, c := range d.Connectors {
		names[i] = c.Name
	}
	return names
}

// PutTemplates puts the index templates into the Elasticsearch at a URL. They hold
// for indices made after it. The transport sends the requests; nil means
// http.DefaultTransport.
func PutTemplates(ctx context.Context, def Definition, elasticsearch string, transport http.RoundTripper) error {
	client := &http.Client{Timeout: requestTimeout, Transport: transport}
	for _, t := range def.Templates {
		target := strings.TrimRight(elasticsearch, "/") + "/_index_template/" + url.PathEscape(t.Name)
		if err := send(ctx, client, http.MethodPut, target, t.Body, nil); err != nil {
			return fmt.Errorf("putting the index template %s: %w", t.Name, err)
		}
	}
	return nil
}

package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
)

type pluginInfo struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
}

func listPlugins(_ *worker, c *call) (*answer, error) {
	list := []pluginInfo{}
	for _, p := range plugins {
		list = append(list, pluginInfo{p.Class(), string(p.Kind()), p.Version()})
	}
	if c.req.URL.Query().Get("connectorsOnly") != "false" {
		return ok(list)
	}
	for _, t := range transform.Classes() {
		list = append(list, pluginInfo{t.Name, "transformation", Version})
	}
	for _, p := range transform.Predicates() {
		list = append(list, pluginInfo{p.Name, "predicate", Version})
	}
	for kind, classes := range map[string][]convert.Class{"converter": convert.Classes(), "header_converter": convert.HeaderClasses()} {
		for _, v := range classes {
			info := pluginInfo{v.Name, kind, ""}
			if v.Bundled() {
				info.Version = Version
			}
			list = append(list, info)
		}
	}
	order := []string{"sink", "source", "transformation", "predicate", "converter", "header_converter"}
	slices.SortFunc(list, func(a, b pluginInfo) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Type), slices.Index(order, b.Type)), strings.Compare(a.Class, b.Class))
	})
	return ok(list)
}

// definitionInfo is a setting as the REST interface describes it.
type definitionInfo struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	DefaultValue  *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	Order         int      `json:"order"`
}

func groupName(k *config.Key) string {
	if k.Group == config.EmptyGroup {
		return ""
	}
	return k.Group
}

func describe(k *config.Key) definitionInfo {
	d := definitionInfo{Name: k.Name, Type: string(k.Type), Required: k.Required, DefaultValue: k.Default, Importance: string(k.Importance),
		Documentation: k.Doc, Width: string(k.Width), DisplayName: k.Display, Dependents: k.Dependents, Order: k.Order}
	if k.Group != "" {
		group := groupName(k)
		d.Group = &group
	}
	if d.Dependents == nil {
		d.Dependents = []string{}
	}
	return d
}

func getPluginConfig(_ *worker, c *call) (*answer, error) {
	var def *config.Definition
	if p, err := findPlugin(c.vars[0]); err == nil {
		def = &config.Definition{Keys: slices.Concat(p.Definition().Keys, commonDefinition(p).Keys)}
	} else if t, ok := transform.Find(c.vars[0]); ok {
		def = t.Definition
	} else if p, ok := transform.FindPredicate(c.vars[0]); ok {
		def = p.Definition
	} else if v, ok := convert.FindHeader(c.vars[0]); ok {
		def = v.Definition
	} else if v, ok := convert.Find(c.vars[0]); ok {
		def = v.Definition
	} else {
		return nil, fail(http.StatusNotFound, "Unknown plugin %s.", c.vars[0])
	}
	list := []definitionInfo{}
	for i := range def.Keys {
		list = append(list, describe(&def.Keys[i]))
	}
	return ok(list)
}

type valueInfo struct {
	Name              string   `json:"name"`
	Value             *string  `json:"value"`
	RecommendedValues []string `json:"recommended_values"`
	Errors            []string `json:"errors"`
	Visible           bool     `json:"visible"`
}

type configInfo struct {
	Definition definitionInfo `json:"definition"`
	Value      valueInfo      `json:"value"`
}

// normalizedName is a class name without "Connector" at its end.
func normalizedName(class string) string {
	if short := strings.TrimSuffix(class, "Connector"); short != "" {
		return short
	}
	return class
}

func validatePluginConfig(w *worker, c *call) (*answer, error) {
	given, err := bodySettings(c.body)
	if err != nil {
		return nil, err
	}
	if isNull(c.body) {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "java.util.Map.get(Object)" because "connectorConfig" is null`)
	}
	class, known := given[classSetting]
	if !known {
		return nil, fail(http.StatusInternalServerError, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config %s contains no connector type", javaMap(given))
	}
	if !strings.HasSuffix(normalizedName(class), normalizedName(c.vars[0])) {
		return nil, fail(http.StatusBadRequest, "Included connector type %s does not match request type %s", class, c.vars[0])
	}
	if _, err := findPlugin(class); err != nil {
		return nil, validationError(err)
	}
	_, values, err := w.validate(c.req.Context(), given)
	if err != nil {
		return nil, validationError(err)
	}
	groups := []string{}
	configs := []configInfo{}
	for _, v := range values.List {
		if v.Key.Group != "" && !slices.Contains(groups, groupName(v.Key)) {
			groups = append(groups, groupName(v.Key))
		}
		info := configInfo{Definition: describe(v.Key), Value: valueInfo{Name: v.Key.Name, Value: v.Value, RecommendedValues: v.Recommended, Errors: v.Errors, Visible: v.Visible}}
		if info.Value.RecommendedValues == nil {
			info.Value.RecommendedValues = []string{}
		}
		if info.Value.Errors == nil {
			info.Value.Errors = []string{}
		}
		configs = append(configs, info)
	}
	return ok(map[string]any{"name": class, "error_count": len(values.Errors()), "groups": groups, "configs": configs})
}

type offsetInfo struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"`
}

func getOffsets(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	list := []offsetInfo{}
	if isSource(w.info(connector).Config) {
		for _, o := range w.store.offsetsOf(connector.name) {
			list = append(list, offsetInfo{o.partition, o.offset})
		}
	} else if list, err = w.groupOffsets(c.req.Context(), connector.name); err != nil {
		return nil, err
	}
	return ok(map[string]any{"offsets": list})
}

// groupOffsets tells what a sink's consumer group committed.
func (w *worker) groupOffsets(ctx context.Context, name string) ([]offsetInfo, error) {
	committed, err := kadm.NewClient(w.store.client).FetchOffsets(ctx, groupPrefix+name)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return []offsetInfo{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of group %s%s: %w", groupPrefix, name, err)
	}
	list := []offsetInfo{}
	for _, o := range committed.Sorted() {
		if o.At >= 0 {
			list = append(list, offsetInfo{
				map[string]any{"kafka_topic": o.Topic, "kafka_partition": o.Partition},
				map[string]any{"kafka_offset": o.At},
			})
		}
	}
	return list, nil
}

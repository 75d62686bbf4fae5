package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
)

const classSetting = "connector.class"

// findPlugin gives the class of connectors with a Java class name; the last part
// of it, with or without "Connector", will do.
func findPlugin(name string) (plugin.Connector, error) {
	for _, p := range plugins {
		class := p.Class()
		simple := class[strings.LastIndexByte(class, '.')+1:]
		if name == class || name == simple || name == strings.TrimSuffix(simple, "Connector") {
			return p, nil
		}
	}
	available := make([]string, len(plugins))
	for i, p := range plugins {
		available[i] = fmt.Sprintf("PluginDesc{klass=class %[1]s, name='%[1]s', version='%[2]s', encodedVersion=%[2]s, type=%[3]s, typeName='%[3]s', location='classpath'}", p.Class(), p.Version(), p.Kind())
	}
	return nil, fault.New(fault.Connect, "Failed to find any class that implements Connector and which name matches %s, available connectors are: %s", name, strings.Join(available, ", "))
}

// commonDefinition has the settings that all connectors of a class's kind share.
func commonDefinition(class plugin.Connector) *config.Definition {
	if class.Kind() == plugin.Sink {
		return sinkDefinition
	}
	return sourceDefinition
}

// validate checks a connector's settings. Its error is one with which the real
// worker breaks off.
func (w *worker) validate(ctx context.Context, settings map[string]string) (plugin.Connector, *config.Values, error) {
	class, err := findPlugin(settings[classSetting])
	if err != nil {
		return nil, nil, err
	}
	values := config.Validate(commonDefinition(class), "", settings)
	checkConverter(values, settings, keyConverter)
	checkConverter(values, settings, valueConverter)
	if class.Kind() == plugin.Sink {
		checkTopics(values, settings)
	}
	validateTransforms(values, settings)
	own := config.Validate(class.Definition(), "", settings)
	values.List = append(values.List, own.List...)
	validateConverter(values, settings, keyConverter, "key")
	validateConverter(values, settings, valueConverter, "value")
	if err := class.Validate(ctx, settings, values); err != nil {
		return nil, nil, err
	}
	return class, values, nil
}

func checkTopics(values *config.Values, settings map[string]string) {
	topics, pattern := len(config.SplitList(settings[topicsSetting])) > 0, settings[topicsRegexSetting] != ""
	message := ""
	switch {
	case topics && pattern:
		message = "topics and topics.regex are mutually exclusive options, but both are set."
	case !topics && !pattern:
		message = "Must configure one of topics or topics.regex"
	default:
		return
	}
	values.AddError(topicsSetting, "%s", message)
	values.AddError(topicsRegexSetting, "%s", message)
}

// checkConverter wants a class that there is.
func checkConverter(values *config.Values, settings map[string]string, name string) {
	class, ok := settings[name]
	if !ok {
		return
	}
	if _, ok := convert.Find(class); !ok {
		value := values.Get(name)
		value.Value = nil
		values.AddError(name, "Invalid value %s for configuration %s: Class %s could not be found.", class, name, class)
	}
}

// validateConverter checks the settings of a converter that the connector names.
func validateConverter(values *config.Values, settings map[string]string, name, kind string) {
	class, ok := convert.Find(settings[name])
	if !ok {
		return
	}
	prefix := name + "."
	withType := map[string]string{prefix + "converter.type": kind}
	for k, v := range settings {
		withType[k] = v
	}
	values.List = append(values.List, config.Validate(class.Definition, prefix, withType).List...)
}

func validateTransforms(values *config.Values, settings map[string]string) {
	var names []string
	for _, c := range transform.Classes() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	for _, alias := range config.SplitList(settings[transformsSetting]) {
		prefix := transformsSetting + "." + alias + "."
		group := "Transforms: " + alias
		typeKey := config.Key{Name: prefix + "type", Type: config.Class, Required: true, Importance: config.High, Group: group, Order: 0, Width: config.Wide,
			Display: "Transformation type for " + alias, Recommended: names, Doc: "The class of the transformation " + alias + "."}
		typeValues := config.Validate(&config.Definition{Keys: []config.Key{typeKey}}, "", settings)
		values.List = append(values.List, typeValues.List...)
		name, given := settings[prefix+"type"]
		if !given {
			continue
		}
		class, ok := transform.Find(name)
		if !ok {
			typeValues.List[0].Value = nil
			values.AddError(prefix+"type", "Invalid value %s for configuration %stype: Class %s could not be found.", name, prefix, name)
			continue
		}
		own := config.Validate(class.Definition, prefix, settings)
		for _, v := range own.List {
			v.Key.Group = group
		}
		own.List = append(own.List, config.Validate(dependence(group), prefix, settings).List...)
		values.List = append(values.List, own.List...)
		if err := class.Check(config.Sub(settings, prefix)); err != nil {
			values.AddError(own.List[0].Key.Name, "%s", err)
		}
	}
}

// dependence has the settings that make a transformation depend on a predicate.
func dependence(group string) *config.Definition {
	return &config.Definition{Keys: []config.Key{
		{Name: "predicate", Type: config.String, Default: config.Default(""), Importance: config.Medium, Group: group, Order: -1, Width: config.NoWidth,
			Display: "Predicate", Unsupported: true, Doc: "The predicate that says for which records the transformation is applied."},
		{Name: "negate", Type: config.Boolean, Default: config.Default("false"), Importance: config.Medium, Group: group, Order: -1, Width: config.NoWidth,
			Display: "Negate", Unsupported: true, Doc: "Whether the transformation is applied where the predicate does not hold."},
	}}
}

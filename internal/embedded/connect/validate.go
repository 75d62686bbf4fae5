package connect

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
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
func (w *worker) validate(ctx context.Context, given map[string]string) (plugin.Connector, *config.Values, error) {
	settings, hidden, err := w.resolve(given)
	if err != nil {
		return nil, nil, err
	}
	class, err := findPlugin(settings[classSetting])
	if err != nil {
		return nil, nil, hidden.failure(err)
	}
	values := config.Validate(commonDefinition(class), "", settings)
	checkConverter(values, settings, keyConverter)
	checkConverter(values, settings, valueConverter)
	checkConverter(values, settings, headerConverter)
	if class.Kind() == plugin.Sink {
		checkTopics(values, settings)
		checkDeadLetters(values, settings)
	}
	validateTransforms(values, settings)
	own := config.Validate(class.Definition(), "", settings)
	values.List = append(values.List, own.List...)
	validateConverter(values, settings, keyConverter, "key")
	validateConverter(values, settings, valueConverter, "value")
	if err := class.Validate(ctx, plugin.Environment{Name: settings["name"], Log: w.log, Clock: w.cfg.Clock, Dial: w.cfg.Dial, MayUse: w.providers.mayUse}, settings, values); err != nil {
		return nil, nil, hidden.failure(err)
	}
	hidden.cover(values, given)
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

// checkTopicPattern wants a pattern that consumers of ours can match topics with.
func checkTopicPattern(v any) error {
	text, _ := v.(string)
	if _, err := regexp.Compile(text); err != nil {
		return config.Errorf("Invalid regex: %s", err)
	}
	return nil
}

// checkDeadLetters refuses to read the topic that gets the records with errors.
func checkDeadLetters(values *config.Values, settings map[string]string) {
	dead := strings.TrimSpace(settings[deadLetterSetting])
	if dead == "" {
		return
	}
	if topics := config.SplitList(settings[topicsSetting]); slices.Contains(topics, dead) {
		values.AddError(topicsSetting, "The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector", dead, strings.Join(topics, ", "))
	}
	text := settings[topicsRegexSetting]
	if pattern, err := regexp.Compile("^(?:" + text + ")$"); text != "" && err == nil && pattern.MatchString(dead) {
		values.AddError(topicsRegexSetting, "The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector", dead, text)
	}
}

// checkConverter wants a class that there is.
func checkConverter(values *config.Values, settings map[string]string, name string) {
	class, ok := settings[name]
	if !ok {
		return
	}
	_, found := convert.Find(class)
	if name == headerConverter {
		_, found = convert.FindHeader(class)
	}
	if !found {
		value := values.Get(name)
		if isPlugin(class) {
			wanted := "Converter"
			if name == headerConverter {
				wanted = "HeaderConverter"
			}
			values.AddError(name, "Class class %s does not implement the %s interface", class, wanted)
			return
		}
		value.Value = nil
		values.AddError(name, "Invalid value %s for configuration %s: Class %s could not be found.", class, name, class)
	}
}

// isPlugin reports whether a class is a plug-in of any kind.
func isPlugin(class string) bool {
	_, isTransform := transform.Find(class)
	_, isPredicate := transform.FindPredicate(class)
	_, isConverter := convert.Find(class)
	_, isHeader := convert.FindHeader(class)
	return isTransform || isPredicate || isConverter || isHeader || slices.ContainsFunc(plugins, func(p plugin.Connector) bool { return p.Class() == class })
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
	own := config.Validate(class.Definition, prefix, withType)
	for _, v := range own.List {
		for i, text := range v.Errors {
			// Converters know their settings by the names without prefix.
			v.Errors[i] = strings.ReplaceAll(strings.ReplaceAll(text, " for configuration "+prefix, " for configuration "), " configuration \""+prefix, " configuration \"")
		}
	}
	values.List = append(values.List, own.List...)
}

func validateTransforms(values *config.Values, settings map[string]string) {
	kinds := aliasKinds{setting: transformsSetting, group: "Transforms", display: "Transformation", what: "transformation"}
	for _, c := range transform.Classes() {
		kinds.names = append(kinds.names, c.Name)
	}
	kinds.find = func(name string) (*config.Definition, bool) {
		class, ok := transform.Find(name)
		if !ok {
			return nil, false
		}
		return &config.Definition{Keys: append(dependence(), class.Definition.Keys...)}, true
	}
	kinds.check = func(name string, own map[string]string) error {
		if _, given := own["negate"]; given && own["predicate"] == "" {
			return config.Errorf("Config '%[1]snegate' was provided but there is no config '%[1]spredicate' defining a predicate to be negated.", own[aliasPrefix])
		}
		class, _ := transform.Find(name)
		return class.Check(own)
	}
	kinds.validate(values, settings)

	kinds = aliasKinds{setting: predicatesSetting, group: "Predicates", display: "Predicate", what: "predicate"}
	for _, c := range transform.Predicates() {
		kinds.names = append(kinds.names, c.Name)
	}
	kinds.find = func(name string) (*config.Definition, bool) {
		class, ok := transform.FindPredicate(name)
		return class.Definition, ok
	}
	kinds.check = func(string, map[string]string) error { return nil }
	kinds.validate(values, settings)
}

// aliasPrefix is the setting that hands the prefix of an alias to its check.
const aliasPrefix = "alias prefix"

// aliasKinds are the classes of things that a setting lists by alias.
type aliasKinds struct {
	setting, group, display, what string
	names                         []string
	find                          func(class string) (*config.Definition, bool)
	check                         func(class string, own map[string]string) error
}

func (k aliasKinds) validate(values *config.Values, settings map[string]string) {
	slices.Sort(k.names)
	var seen []string
	aliases := config.SplitList(settings[k.setting])
	for _, alias := range aliases {
		if slices.Contains(seen, alias) {
			values.AddError(k.setting, "Invalid value [%s] for configuration %s: Duplicate alias provided.", strings.Join(aliases, ", "), k.setting)
			continue
		}
		seen = append(seen, alias)
		prefix := k.setting + "." + alias + "."
		group := k.group + ": " + alias
		typeKey := config.Key{Name: prefix + "type", Type: config.Class, Required: true, Importance: config.High, Group: group, Order: 0, Width: config.Wide,
			Display: k.display + " type for " + alias, Recommended: k.names, Doc: "The class of the " + k.what + " " + alias + "."}
		typeValues := config.Validate(&config.Definition{Keys: []config.Key{typeKey}}, "", settings)
		values.List = append(values.List, typeValues.List...)
		name, given := settings[prefix+"type"]
		if !given {
			continue
		}
		def, ok := k.find(name)
		if _, onValue := k.find(name + "$Value"); !ok && onValue {
			values.AddError(prefix+"type", "This class is abstract and cannot be created. Did you mean %[1]s$Value, %[1]s$Key?", name)
			continue
		}
		if !ok {
			typeValues.List[0].Value = nil
			values.AddError(prefix+"type", "Invalid value %s for configuration %stype: Class %s could not be found.", name, prefix, name)
			continue
		}
		own := config.Validate(embedded(def, group), prefix, settings)
		values.List = append(values.List, own.List...)
		apart := config.Sub(settings, prefix)
		apart[aliasPrefix] = prefix
		if err := k.check(name, apart); err != nil {
			about := prefix + "type"
			if len(own.List) > 0 && own.List[0].Key.Required {
				about = own.List[0].Key.Name
			}
			values.AddError(about, "%s", err)
		}
	}
}

// embedded gives a definition as Kafka embeds it in another: what is required
// first, then by importance and name, numbered from 1.
func embedded(def *config.Definition, group string) *config.Definition {
	rank := map[config.Importance]int{config.High: 0, config.Medium: 1, config.Low: 2}
	keys := slices.SortedStableFunc(slices.Values(def.Keys), func(a, b config.Key) int {
		if a.Required != b.Required {
			if a.Required {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(rank[a.Importance], rank[b.Importance]), strings.Compare(a.Name, b.Name))
	})
	for i := range keys {
		keys[i].Group, keys[i].Order = group, i+1
	}
	return &config.Definition{Keys: keys}
}

// dependence has the settings that make a transformation depend on a predicate.
func dependence() []config.Key {
	return []config.Key{
		{Name: "predicate", Type: config.String, Importance: config.Medium, Order: -1, Width: config.NoWidth,
			Display: "predicate", Doc: "The predicate that says for which records the transformation is applied."},
		{Name: "negate", Type: config.Boolean, Default: config.Default("false"), Importance: config.Medium, Order: -1, Width: config.NoWidth,
			Display: "negate", Doc: "Whether the transformation is applied where the predicate does not hold."},
	}
}

package transform

import (
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const predicatePrefix = prefix + "predicates."

// Predicate says for which records a transformation is applied.
type Predicate interface {
	Holds(r *plugin.Record) bool
}

// PredicateClass is a kind of predicate.
type PredicateClass struct {
	// Name is the Java class it stands for.
	Name       string
	Definition *config.Definition
	make       func(config.Settings) (Predicate, error)
}

var predicates = []PredicateClass{
	{
		Name:       predicatePrefix + "HasHeaderKey",
		Definition: &config.Definition{Keys: []config.Key{checked(required(key("name", config.String, config.Medium, "The name of the header.")), config.NonEmptyString)}},
		make:       func(s config.Settings) (Predicate, error) { return hasHeaderKey(s.Text("name")), nil },
	},
	{
		Name: predicatePrefix + "RecordIsTombstone", Definition: &config.Definition{},
		make: func(config.Settings) (Predicate, error) { return recordIsTombstone{}, nil },
	},
	{
		Name: predicatePrefix + "TopicNameMatches",
		Definition: &config.Definition{Keys: []config.Key{checked(required(key("pattern", config.String, config.Medium, "The pattern that the whole topic must match.")), func(v any) error {
			if err := config.NonEmptyString(v); err != nil {
				return err
			}
			return checkRegex(v)
		})}},
		make: func(s config.Settings) (Predicate, error) {
			pattern, err := compilePattern(s.Text("pattern"))
			return topicNameMatches{pattern}, err
		},
	},
}

// Predicates lists the kinds of predicates by name.
func Predicates() []PredicateClass { return slices.Clone(predicates) }

// FindPredicate gives the kind of predicate with a Java class name.
func FindPredicate(name string) (PredicateClass, bool) {
	i := slices.IndexFunc(predicates, func(c PredicateClass) bool { return c.Name == name })
	if i < 0 {
		return PredicateClass{}, false
	}
	return predicates[i], true
}

// New makes a predicate from its settings, whose names are without prefix.
func (c PredicateClass) New(settings map[string]string) (Predicate, error) {
	return c.make(config.NewSettings(c.Definition, settings))
}

type hasHeaderKey string

func (p hasHeaderKey) Holds(r *plugin.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h plugin.Header) bool { return h.Key == string(p) })
}

type recordIsTombstone struct{}

func (recordIsTombstone) Holds(r *plugin.Record) bool { return r.Value == nil }

type topicNameMatches struct{ pattern *pattern }

func (p topicNameMatches) Holds(r *plugin.Record) bool { return p.pattern.matches(r.Topic) }

func filterClasses() []Class {
	return []Class{{
		Name: prefix + "Filter", Definition: &config.Definition{},
		make: func(config.Settings) (Transformation, error) { return filter{}, nil },
	}}
}

// filter drops every record; it is of use with a predicate.
type filter struct{}

func (filter) Apply(*plugin.Record) (*plugin.Record, error) { return nil, nil }

func timestampRouterClasses() []Class {
	return []Class{{
		Name: prefix + "TimestampRouter",
		Definition: &config.Definition{Keys: []config.Key{
			withDefault(key("topic.format", config.String, config.High, "The new topic; ${topic} is the old one, ${timestamp} the record's time."), "${topic}-${timestamp}"),
			withDefault(key("timestamp.format", config.String, config.High, "The pattern of the time, in the way of Java's SimpleDateFormat."), "yyyyMMdd"),
		}},
		make: func(s config.Settings) (Transformation, error) {
			format, err := compileDateFormat(s.Text("timestamp.format"))
			return timestampRouter{s.Text("topic.format"), format, err}, nil
		},
	}}
}

// timestampRouter makes a record's time part of its topic.
type timestampRouter struct {
	topic  string
	format *dateFormat
	// wrong is why the format can't be used; the real one finds it at the first
	// record.
	wrong error
}

func (t timestampRouter) Apply(r *plugin.Record) (*plugin.Record, error) {
	if r.Timestamp == nil {
		return nil, fault.New(fault.Data, "Timestamp missing on record: %s", r.Text())
	}
	if t.wrong != nil {
		return nil, fault.New(fault.IllegalArgument, "%s", t.wrong)
	}
	at := t.format.format(time.UnixMilli(*r.Timestamp))
	c := *r
	c.Topic = strings.ReplaceAll(strings.ReplaceAll(t.topic, "${topic}", r.Topic), "${timestamp}", at)
	return &c, nil
}

package registry

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// latestVersion stands for the newest version.
const latestVersion = -1

// schemaRequest is the body that registers, looks up or checks a schema.
type schemaRequest struct {
	Version    *int            `json:"version"`
	ID         *int            `json:"id"`
	SchemaType *string         `json:"schemaType"`
	References []reference     `json:"references"`
	Metadata   *metadata       `json:"metadata"`
	RuleSet    json.RawMessage `json:"ruleSet"`
	Schema     *string         `json:"schema"`
}

// schemaValue is the schema of a request under a subject, not canonical yet.
func (q *schemaRequest) value(subject string) *schemaValue {
	v := &schemaValue{Subject: subject, References: slices.Clone(q.References), Metadata: q.Metadata}
	if q.Schema != nil {
		v.Schema = *q.Schema
	}
	if q.SchemaType != nil {
		v.SchemaType = strings.ToUpper(*q.SchemaType)
	}
	if v.SchemaType == typeAvro {
		v.SchemaType = ""
	}
	return v
}

// schemaAnswer is a schema version in an answer.
type schemaAnswer struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int         `json:"id,omitempty"`
	SchemaType string      `json:"schemaType,omitempty"`
	References []reference `json:"references,omitempty"`
	Metadata   *metadata   `json:"metadata,omitempty"`
	Schema     string      `json:"schema"`
}

func answerOf(v *schemaValue) schemaAnswer {
	return schemaAnswer{v.Subject, v.Version, v.ID, v.SchemaType, v.References, v.Metadata, v.Schema}
}

// formatted is answerOf with the text in the format that the query asks for.
func (c *call) formatted(s *state, v *schemaValue) (schemaAnswer, error) {
	a := answerOf(v)
	var err error
	a.Schema, err = c.format(s, v)
	return a, err
}

func (c *call) format(s *state, v *schemaValue) (string, error) {
	format := c.query.Get("format")
	if format == "" {
		return v.Schema, nil
	}
	clone := *v
	clone.References = slices.Clone(v.References)
	parsed, err := s.parse(&clone)
	if err != nil {
		return "", err
	}
	return parsed.format(format)
}

// keep gives which versions a query asks for: those that are not deleted, all,
// or the deleted ones.
func (c *call) keep() func(*schemaValue) bool {
	switch {
	case c.flag("deletedOnly"):
		return deleted
	case c.flag("deleted"):
		return anyVersion
	default:
		return notDeleted
	}
}

// page cuts a list as the query's offset and limit say.
func page[T any](c *call, list []T) []T {
	list = list[min(max(c.number("offset", 0), 0), len(list)):]
	if limit := c.number("limit", -1); limit >= 0 {
		list = list[:min(limit, len(list))]
	}
	if list == nil {
		list = []T{}
	}
	return list
}

// parseVersion reads a version in a path. The error is an *apiError.
func parseVersion(text string) (int, error) {
	if strings.EqualFold(text, "latest") {
		return latestVersion, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > math.MaxInt32 || n < 1 && n != latestVersion {
		return 0, errInvalidVersion(text)
	}
	return int(n), nil
}

// version finds a version of a subject that passes keep. The error is an
// *apiError.
func (s *state) version(subject string, number int, keep func(*schemaValue) bool) (*schemaValue, error) {
	v := s.subjects[subject][number]
	if number == latestVersion {
		if list := s.versions(subject, keep); len(list) > 0 {
			v = list[len(list)-1]
		}
	}
	switch {
	case v != nil && keep(v):
		return v, nil
	case !s.exists(subject, keep):
		return nil, errSubjectNotFound(subject)
	default:
		return nil, errVersionNotFound(number)
	}
}

func root(*Registry, *call) (any, error) { return rawJSON("{}"), nil }

func listSubjects(r *Registry, c *call) (any, error) {
	prefix := c.query.Get("subjectPrefix")
	if !c.query.Has("subjectPrefix") {
		prefix = everyContext
		if c.scope != "" {
			prefix = ":" + c.scope + ":"
		}
	}
	return r.read(c.ctx, func(s *state) (any, error) {
		list := s.subjectsWith(prefix, c.keep())
		if c.flag("deletedOnly") {
			list = slices.DeleteFunc(list, func(name string) bool { return s.exists(name, notDeleted) })
		}
		return page(c, list), nil
	})
}

// everyContext as a prefix means the subjects of all contexts.
const everyContext = ":*:"

// subjectsWith lists the subjects with a prefix that have a version to keep. A
// prefix that names no context means the default one.
func (s *state) subjectsWith(prefix string, keep func(*schemaValue) bool) []string {
	everywhere := strings.HasPrefix(prefix, everyContext)
	bare := strings.TrimPrefix(prefix, everyContext)
	prefix = strings.TrimPrefix(prefix, ":.:")
	var list []string
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		switch {
		case everywhere:
			if !strings.HasPrefix(strings.TrimPrefix(name, ":"+contextOf(name)+":"), bare) {
				continue
			}
		case !strings.HasPrefix(name, prefix), contextOf(name) != contextOf(prefix):
			continue
		}
		if s.exists(name, keep) {
			list = append(list, name)
		}
	}
	return list
}

func listVersions(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		subject := s.resolve(c.subject(0))
		list := s.versions(subject, c.keep())
		if len(list) == 0 {
			return nil, errSubjectNotFound(subject)
		}
		return page(c, numbers(list)), nil
	})
}

func numbers(list []*schemaValue) []int {
	n := make([]int, len(list))
	for i, v := range list {
		n[i] = v.Version
	}
	return n
}

// getSchemaVersion is what the paths of one version have in common.
func (c *call) getSchemaVersion(s *state) (*schemaValue, error) {
	number, err := parseVersion(c.vars[1])
	if err != nil {
		return nil, err
	}
	return s.version(s.resolve(c.subject(0)), number, c.keep())
}

func getVersion(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		v, err := c.getSchemaVersion(s)
		if err != nil {
			return nil, err
		}
		return c.formatted(s, v)
	})
}

func getVersionText(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		v, err := c.getSchemaVersion(s)
		if err != nil {
			return nil, err
		}
		text, err := c.format(s, v)
		return rawJSON(text), err
	})
}

func referencedBy(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		v, err := c.getSchemaVersion(s)
		if err != nil {
			return nil, err
		}
		ids := []int{}
		for _, ref := range s.referrers(v.Subject, v.Version) {
			if !slices.Contains(ids, ref.ID) {
				ids = append(ids, ref.ID)
			}
		}
		slices.Sort(ids)
		return ids, nil
	})
}

// latestWithMetadata finds the newest version whose metadata has the given
// properties.
func latestWithMetadata(r *Registry, c *call) (any, error) {
	keys, values := c.query["key"], c.query["value"]
	return r.read(c.ctx, func(s *state) (any, error) {
		subject := s.resolve(c.subject(0))
		list := s.versions(subject, c.keep())
		if len(list) == 0 {
			return nil, errSubjectNotFound(subject)
		}
		for _, v := range slices.Backward(list) {
			if v.hasProperties(keys, values) {
				return c.formatted(s, v)
			}
		}
		return nil, errSchemaNotFound()
	})
}

func (v *schemaValue) hasProperties(keys, values []string) bool {
	for i, key := range keys {
		if v.Metadata == nil || i >= len(values) {
			return false
		}
		if have, ok := v.Metadata.Properties[key]; !ok || have != values[i] {
			return false
		}
	}
	return true
}

func lookUp(r *Registry, c *call) (any, error) {
	var q schemaRequest
	if err := c.decode(&q, "lookUpSchemaUnderSubject.arg4"); err != nil {
		return nil, err
	}
	return r.read(c.ctx, func(s *state) (any, error) {
		subject := s.resolve(c.subject(0))
		if !s.exists(subject, c.keep()) {
			return nil, errSubjectNotFound(subject)
		}
		v := q.value(subject)
		if v.Schema == "" {
			return nil, errSchemaNotFound()
		}
		if err := s.canonicalize(v, c.flag("normalize") || s.normalizes(subject)); err != nil {
			return nil, err
		}
		found := s.find(v, c.keep())
		if found == nil {
			return nil, errSchemaNotFound()
		}
		return c.formatted(s, found)
	})
}

// find gives the newest version of a subject with the content of v, nil when
// there is none. Content without metadata matches any.
func (s *state) find(v *schemaValue, keep func(*schemaValue) bool) *schemaValue {
	for _, old := range slices.Backward(s.versions(v.Subject, keep)) {
		if old.SchemaType != v.SchemaType || old.Schema != v.Schema || !slices.Equal(old.References, v.References) {
			continue
		}
		if v.Metadata == nil || old.hash() == v.hash() {
			return old
		}
	}
	return nil
}

func (s *state) normalizes(subject string) bool {
	return s.switched(subject, func(c *configValue) *bool { return c.Normalize })
}

func (s *state) validatesFields(subject string) bool {
	return s.switched(subject, func(c *configValue) *bool { return c.ValidateFields })
}

// switched gives a setting that is on or off, from the innermost scope that has
// it. It is off when none has.
func (s *state) switched(subject string, setting func(*configValue) *bool) bool {
	for _, scope := range []string{subject, contextScope(subject), ""} {
		if c := s.configs[scope]; c != nil && setting(c) != nil {
			return *setting(c)
		}
	}
	return false
}

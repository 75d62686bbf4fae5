package registry

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// versionProperty is the property that a schema registered with version -1 gets.
const versionProperty = "confluent:version"

// registered is the answer to a registration. All but the id is left out unless
// the request asks for more than a schema's text.
type registered struct {
	ID         int         `json:"id"`
	Version    int         `json:"version,omitempty"`
	SchemaType string      `json:"schemaType,omitempty"`
	References []reference `json:"references,omitempty"`
	Metadata   *metadata   `json:"metadata,omitempty"`
	Schema     string      `json:"schema,omitempty"`
}

func register(r *Registry, c *call) (any, error) {
	var q schemaRequest
	if err := c.decode(&q, "register.arg5"); err != nil {
		return nil, err
	}
	if err := checkSubject(c.vars[0]); err != nil {
		return nil, err
	}
	full := q.Schema == nil || q.Metadata != nil || len(q.RuleSet) > 0 || q.Version != nil && *q.Version == latestVersion
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		subject := s.resolve(c.subject(0))
		v, records, err := s.register(subject, &q, c.flag("normalize") || s.normalizes(subject))
		if err != nil {
			return nil, nil, err
		}
		answer := registered{ID: v.ID}
		if full {
			answer = registered{v.ID, v.Version, v.SchemaType, v.References, v.Metadata, v.Schema}
		}
		return answer, records, nil
	})
}

// checkSubject refuses names that stand for something else.
func checkSubject(subject string) error {
	for _, r := range subject {
		if r < ' ' {
			return errInvalidSubject(subject)
		}
	}
	if subject == "__EMPTY" || subject == "__GLOBAL" || strings.TrimSpace(subject) == "" {
		return errInvalidSubject(subject)
	}
	return nil
}

// register decides what registering a schema comes to: the version that it is,
// and the records to write for it, none when it was there before.
func (s *state) register(subject string, q *schemaRequest, normalize bool) (*schemaValue, []record, error) {
	v := q.value(subject)
	if q.Schema == nil {
		// No schema stands for the newest one, to be given other metadata.
		latest := s.latest(subject)
		if latest == nil {
			return nil, nil, errInvalidSchema("Empty schema")
		}
		v.Schema, v.SchemaType, v.References = latest.Schema, latest.SchemaType, slices.Clone(latest.References)
	}
	if v.Schema == "" {
		return nil, nil, errInvalidSchema("Empty schema")
	}
	if err := s.canonicalize(v, normalize); err != nil {
		return nil, nil, err
	}
	s.completeMetadata(v)
	if old := s.find(v, notDeleted); old != nil && (q.ID == nil || *q.ID == old.ID || *q.ID < 0) && (q.Version == nil || *q.Version == 0 || *q.Version == old.Version) {
		return old, nil, nil
	}
	importing := q.ID != nil && *q.ID >= 0
	if err := checkMode(subject, s.mode(subject), importing); err != nil {
		return nil, nil, err
	}
	if err := s.setVersion(v, q, importing); err != nil {
		return nil, nil, err
	}
	if importing {
		if err := s.takeID(v, *q.ID); err != nil {
			return nil, nil, err
		}
	} else {
		if err := s.checkAgainstEarlier(v); err != nil {
			return nil, nil, err
		}
		s.giveID(v)
	}
	records := []record{schemaRecord(*v)}
	if context := contextOf(subject); s.contexts[context] == nil {
		records = append([]record{contextRecord(context)}, records...)
	}
	// A soft deleted version with the same content makes way for the new one.
	for _, old := range s.versions(subject, deleted) {
		if old.ID == v.ID && old.Version != v.Version {
			records = append(records, schemaTombstone(subject, old.Version))
		}
	}
	return v, records, nil
}

// checkMode reports whether a subject takes new versions, with an id of the
// client's choice or not.
func checkMode(subject, mode string, importing bool) error {
	switch {
	case mode == modeReadOnly || mode == modeReadOnlyOverride:
		return errNotPermitted("Subject %s is in read-only mode", subject)
	case importing && mode != modeImport:
		return errNotPermitted("Subject %s is not in import mode", subject)
	case !importing && mode == modeImport:
		return errNotPermitted("Subject %s is not in read-write mode", subject)
	default:
		return nil
	}
}

// setVersion gives a schema its version: the next one, or the one asked for.
func (s *state) setVersion(v *schemaValue, q *schemaRequest, importing bool) error {
	v.Version = s.nextVersion(v.Subject)
	if q.Version == nil || *q.Version == 0 {
		return nil
	}
	asked := *q.Version
	switch {
	case asked == latestVersion:
		m := metadata{}
		if v.Metadata != nil {
			m = *v.Metadata
		}
		m.Properties = maps.Clone(m.Properties)
		if m.Properties == nil {
			m.Properties = map[string]string{}
		}
		m.Properties[versionProperty] = strconv.Itoa(v.Version)
		v.Metadata = &m
	case importing && asked > 0:
		v.Version = asked
	case asked != v.Version:
		return errInvalidSchema("Version is not one more than previous version")
	}
	return nil
}

// takeID gives a schema the id asked for, unless another has it.
func (s *state) takeID(v *schemaValue, id int) error {
	v.ID = id
	space := s.contexts[contextOf(v.Subject)]
	if space == nil {
		return nil
	}
	if owner := space.byID[id]; owner != nil && owner.hash() != v.hash() {
		return errNotPermitted("Overwrite new schema with id %d is not permitted.", id)
	}
	return nil
}

// giveID gives a schema the id of its content, a new one when it has none.
func (s *state) giveID(v *schemaValue) {
	v.ID = 1
	if space := s.contexts[contextOf(v.Subject)]; space != nil {
		v.ID = space.maxID + 1
		if id, ok := space.byHash[v.hash()]; ok {
			v.ID = id
		}
	}
}

func (s *state) checkAgainstEarlier(v *schemaValue) error {
	reasons, err := s.compatible(v, s.versions(v.Subject, notDeleted))
	if err != nil {
		return err
	}
	if len(reasons) > 0 {
		return fail(409, 409, "Schema being registered is incompatible with an earlier schema for subject %q, details: [%s]", v.Subject, strings.Join(reasons, ", "))
	}
	return nil
}

// completeMetadata adds to a schema's metadata what the settings say.
func (s *state) completeMetadata(v *schemaValue) {
	config := s.config(v.Subject)
	if config == nil {
		return
	}
	v.Metadata = mergeMetadata(config.DefaultMetadata, v.Metadata)
	v.Metadata = mergeMetadata(v.Metadata, config.OverrideMetadata)
}

// mergeMetadata gives base with what over has in its place.
func mergeMetadata(base, over *metadata) *metadata {
	if base == nil {
		return over
	}
	if over == nil {
		return base
	}
	merged := &metadata{Tags: maps.Clone(base.Tags), Properties: maps.Clone(base.Properties), Sensitive: slices.Clone(base.Sensitive)}
	if merged.Tags == nil {
		merged.Tags = map[string][]string{}
	}
	maps.Copy(merged.Tags, over.Tags)
	if merged.Properties == nil {
		merged.Properties = map[string]string{}
	}
	maps.Copy(merged.Properties, over.Properties)
	for _, name := range over.Sensitive {
		if !slices.Contains(merged.Sensitive, name) {
			merged.Sensitive = append(merged.Sensitive, name)
		}
	}
	return merged
}

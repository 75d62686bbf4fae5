package registry

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// idAnswer is a schema found by its id.
type idAnswer struct {
	SchemaType string      `json:"schemaType,omitempty"`
	Schema     string      `json:"schema"`
	References []reference `json:"references,omitempty"`
	Metadata   *metadata   `json:"metadata,omitempty"`
	MaxID      int         `json:"maxId,omitempty"`
}

// byID finds the schema with the id in the path, in the context that the path or
// the query's subject names.
func (c *call) byID(s *state) (*schemaValue, *idSpace, int, error) {
	id, err := strconv.ParseInt(c.vars[0], 10, 32)
	if err != nil {
		return nil, nil, 0, plainError(http.StatusNotFound)
	}
	space := s.contexts[contextOf(qualify(c.scope, c.query.Get("subject")))]
	if space == nil {
		return nil, nil, int(id), nil
	}
	return space.byID[int(id)], space, int(id), nil
}

func getByID(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		v, space, id, err := c.byID(s)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, errIDNotFound(id)
		}
		text, err := c.format(s, v)
		if err != nil {
			return nil, err
		}
		answer := idAnswer{SchemaType: v.SchemaType, Schema: text, References: v.References, Metadata: v.Metadata}
		if c.flag("fetchMaxId") {
			answer.MaxID = space.maxID
		}
		return answer, nil
	})
}

func getTextByID(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		v, _, _, err := c.byID(s)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, errInternal() // unlike the schema itself, its text is looked up without a check there
		}
		text, err := c.format(s, v)
		return rawJSON(text), err
	})
}

// subjectVersion names a version.
type subjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// withID lists the versions with the id in the path.
func (c *call) withID(s *state) ([]subjectVersion, error) {
	v, space, id, err := c.byID(s)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errSchemaNotFound()
	}
	list := []subjectVersion{}
	for _, subject := range slices.Sorted(maps.Keys(space.uses[id])) {
		for _, version := range s.versions(subject, c.keep()) {
			if version.ID == id {
				list = append(list, subjectVersion{subject, version.Version})
			}
		}
	}
	return list, nil
}

func versionsOfID(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		list, err := c.withID(s)
		if err != nil {
			return nil, err
		}
		return page(c, list), nil
	})
}

func subjectsOfID(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		list, err := c.withID(s)
		if err != nil {
			return nil, err
		}
		names := []string{}
		for _, v := range list {
			if !slices.Contains(names, v.Subject) {
				names = append(names, v.Subject)
			}
		}
		return page(c, names), nil
	})
}

func listSchemas(r *Registry, c *call) (any, error) {
	prefix := qualify(c.scope, c.query.Get("subjectPrefix"))
	return r.read(c.ctx, func(s *state) (any, error) {
		list := []schemaAnswer{}
		for _, subject := range s.subjectsWith(prefix, c.keep()) {
			versions := s.versions(subject, c.keep())
			if c.flag("latestOnly") {
				versions = versions[len(versions)-1:]
			}
			for _, v := range versions {
				list = append(list, answerOf(v))
			}
		}
		return page(c, list), nil
	})
}

func listTypes(*Registry, *call) (any, error) {
	return []string{typeJSON, typeProtobuf, typeAvro}, nil
}

func listContexts(r *Registry, c *call) (any, error) {
	return r.read(c.ctx, func(s *state) (any, error) {
		return page(c, slices.Sorted(maps.Keys(s.contexts))), nil
	})
}

// compatibilityAnswer is a verdict; the messages are there when asked for.
type compatibilityAnswer struct {
	Compatible bool      `json:"is_compatible"`
	Messages   *[]string `json:"messages,omitempty"`
}

func checkAll(r *Registry, c *call) (any, error) { return check(r, c, 0, true) }

func checkOne(r *Registry, c *call) (any, error) {
	number, err := parseVersion(c.vars[1])
	if err != nil {
		return nil, err
	}
	return check(r, c, number, false)
}

// check compares a schema with one version or all of a subject.
func check(r *Registry, c *call, number int, all bool) (any, error) {
	var q schemaRequest
	if err := c.decode(&q, "testCompatibilityBySubjectName.arg5"); err != nil {
		return nil, err
	}
	return r.read(c.ctx, func(s *state) (any, error) {
		subject := s.resolve(c.subject(0))
		previous := s.versions(subject, notDeleted)
		if !all {
			previous = slices.DeleteFunc(previous, func(v *schemaValue) bool { return v.Version != number })
			if number == latestVersion {
				if latest := s.latest(subject); latest != nil {
					previous = []*schemaValue{latest}
				}
			} else if len(previous) == 0 {
				return nil, errVersionNotFound(number)
			}
		}
		v := q.value(subject)
		if v.Schema == "" {
			return nil, errInvalidSchema("Empty schema")
		}
		if err := s.canonicalize(v, c.flag("normalize") || s.normalizes(subject)); err != nil {
			return nil, err
		}
		reasons, err := s.compatible(v, previous)
		if err != nil {
			return nil, err
		}
		answer := compatibilityAnswer{Compatible: len(reasons) == 0}
		if c.flag("verbose") {
			if reasons == nil {
				reasons = []string{}
			}
			answer.Messages = &reasons
		}
		return answer, nil
	})
}

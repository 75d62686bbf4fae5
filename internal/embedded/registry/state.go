package registry

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// state is what the records of the topic add up to. It is not safe for use by
// several goroutines.
type state struct {
	subjects map[string]map[int]*schemaValue
	configs  map[string]*configValue // by subject; "" for all
	modes    map[string]string       // by subject; "" for all
	contexts map[string]*idSpace     // by name; "." is the default one
}

// idSpace holds the ids of one context.
type idSpace struct {
	maxID  int                    // the highest id ever given
	byHash map[[32]byte]int       // what content has which id
	byID   map[int]*schemaValue   // one version of each id that any version has
	uses   map[int]map[string]int // how many versions of each subject have an id
}

func newState() *state {
	return &state{
		subjects: map[string]map[int]*schemaValue{},
		configs:  map[string]*configValue{},
		modes:    map[string]string{},
		contexts: map[string]*idSpace{defaultContext: newIDSpace()},
	}
}

func newIDSpace() *idSpace {
	return &idSpace{byHash: map[[32]byte]int{}, byID: map[int]*schemaValue{}, uses: map[int]map[string]int{}}
}

// defaultContext is the context of subjects that name none.
const defaultContext = "."

// contextOf gives the context of a subject: ":.a:x" is in ".a".
func contextOf(subject string) string {
	if !strings.HasPrefix(subject, ":.") {
		return defaultContext
	}
	context, _, found := strings.Cut(subject[1:], ":")
	if !found {
		return defaultContext
	}
	return context
}

// qualify puts a subject into a context unless it names one itself, and drops
// the name of the default context.
func qualify(context, subject string) string {
	if strings.HasPrefix(subject, ":.") {
		if rest, ok := strings.CutPrefix(subject, ":.:"); ok {
			return rest
		}
		return subject
	}
	if context == "" || context == defaultContext {
		return subject
	}
	return ":" + context + ":" + subject
}

// contextScope is the name under which a context's own settings are kept.
func contextScope(subject string) string {
	if context := contextOf(subject); context != defaultContext {
		return ":" + context + ":"
	}
	return ""
}

func (s *state) space(subject string) *idSpace {
	context := contextOf(subject)
	space := s.contexts[context]
	if space == nil {
		space = newIDSpace()
		s.contexts[context] = space
	}
	return space
}

// hash stands for the content of a schema: what has the same hash has the same
// id.
func (v *schemaValue) hash() [32]byte {
	content := struct {
		Type       string
		Schema     string
		References []reference
		Metadata   *metadata
	}{v.SchemaType, v.Schema, v.References, v.Metadata}
	// A list that is empty means the same as none, as does metadata that says
	// nothing.
	if len(content.References) == 0 {
		content.References = nil
	}
	if content.Metadata.empty() {
		content.Metadata = nil
	}
	text, err := json.Marshal(content)
	if err != nil { // strings, numbers, slices and maps of them always encode
		text = fmt.Append(nil, content)
	}
	return sha256.Sum256(text)
}

// apply takes a record of the topic into account. Unknown kinds of records are
// skipped, as Confluent's registry does, since newer ones may write more.
func (s *state) apply(key, value []byte) error {
	var kind struct {
		KeyType string `json:"keytype"`
	}
	if err := json.Unmarshal(key, &kind); err != nil {
		return fmt.Errorf("reading a key of the schemas topic: %w", err)
	}
	switch kind.KeyType {
	case keySchema:
		return s.applySchema(key, value)
	case keyConfig:
		return applySetting(key, value, func(subject string, v *configValue) { setOrDelete(s.configs, subject, v, v == nil) })
	case keyMode:
		return applySetting(key, value, func(subject string, v *modeValue) {
			if v == nil {
				v = &modeValue{}
			}
			setOrDelete(s.modes, subject, v.Mode, v.Mode == "")
		})
	case keyDeleteSubject:
		return applySetting(key, value, func(subject string, v *deleteSubjectValue) {
			if v == nil {
				return
			}
			for version, schema := range s.subjects[subject] {
				if version <= v.Version {
					schema.Deleted = true
				}
			}
		})
	case keyContext:
		var k contextKey
		if err := json.Unmarshal(key, &k); err != nil {
			return fmt.Errorf("reading a key of the schemas topic: %w", err)
		}
		if value != nil && s.contexts[k.Context] == nil {
			s.contexts[k.Context] = newIDSpace()
		}
	}
	return nil
}

func setOrDelete[V any](m map[string]V, key string, v V, drop bool) {
	if drop {
		delete(m, key)
		return
	}
	m[key] = v
}

func applySetting[V any](key, value []byte, set func(subject string, v *V)) error {
	var k subjectKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("reading a key of the schemas topic: %w", err)
	}
	subject := ""
	if k.Subject != nil {
		subject = *k.Subject
	}
	if value == nil {
		set(subject, nil)
		return nil
	}
	v := new(V)
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("reading a value of the schemas topic: %w", err)
	}
	set(subject, v)
	return nil
}

func (s *state) applySchema(key, value []byte) error {
	var k schemaKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("reading a key of the schemas topic: %w", err)
	}
	s.remove(k.Subject, k.Version)
	if value == nil {
		return nil
	}
	v := new(schemaValue)
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("reading a value of the schemas topic: %w", err)
	}
	v.Subject, v.Version = k.Subject, k.Version
	s.add(v)
	return nil
}

func (s *state) add(v *schemaValue) {
	if s.subjects[v.Subject] == nil {
		s.subjects[v.Subject] = map[int]*schemaValue{}
	}
	s.subjects[v.Subject][v.Version] = v
	space := s.space(v.Subject)
	space.maxID = max(space.maxID, v.ID)
	space.byHash[v.hash()] = v.ID
	space.byID[v.ID] = v
	if space.uses[v.ID] == nil {
		space.uses[v.ID] = map[string]int{}
	}
	space.uses[v.ID][v.Subject]++
}

func (s *state) remove(subject string, version int) {
	v := s.subjects[subject][version]
	if v == nil {
		return
	}
	delete(s.subjects[subject], version)
	if len(s.subjects[subject]) == 0 {
		delete(s.subjects, subject)
	}
	space := s.space(subject)
	uses := space.uses[v.ID]
	if uses[subject]--; uses[subject] == 0 {
		delete(uses, subject)
	}
	if len(uses) > 0 {
		if space.byID[v.ID] == v {
			s.chooseForID(space, v)
		}
		return
	}
	delete(space.uses, v.ID)
	delete(space.byID, v.ID)
	if hash := v.hash(); space.byHash[hash] == v.ID {
		delete(space.byHash, hash)
	}
}

// chooseForID has another version stand for the id of one that is gone.
func (s *state) chooseForID(space *idSpace, gone *schemaValue) {
	for subject := range space.uses[gone.ID] {
		for _, v := range s.subjects[subject] {
			if v.ID == gone.ID {
				space.byID[v.ID] = v
				return
			}
		}
	}
}

// versions gives the versions of a subject in order, those that pass keep.
func (s *state) versions(subject string, keep func(*schemaValue) bool) []*schemaValue {
	var list []*schemaValue
	for _, version := range slices.Sorted(maps.Keys(s.subjects[subject])) {
		if v := s.subjects[subject][version]; keep(v) {
			list = append(list, v)
		}
	}
	return list
}

func notDeleted(v *schemaValue) bool { return !v.Deleted }
func deleted(v *schemaValue) bool    { return v.Deleted }
func anyVersion(*schemaValue) bool   { return true }

// exists reports whether a subject has a version that passes keep.
func (s *state) exists(subject string, keep func(*schemaValue) bool) bool {
	for _, v := range s.subjects[subject] {
		if keep(v) {
			return true
		}
	}
	return false
}

// latest gives the newest version that is not deleted, nil when there is none.
func (s *state) latest(subject string) *schemaValue {
	var newest *schemaValue
	for _, v := range s.subjects[subject] {
		if !v.Deleted && (newest == nil || v.Version > newest.Version) {
			newest = v
		}
	}
	return newest
}

// nextVersion gives the number that a new version of a subject gets.
func (s *state) nextVersion(subject string) int {
	next := 1
	for version := range s.subjects[subject] {
		next = max(next, version+1)
	}
	return next
}

// referrers gives the versions, not deleted, that refer to a version.
func (s *state) referrers(subject string, version int) []*schemaValue {
	var list []*schemaValue
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		for _, v := range s.versions(name, notDeleted) {
			if slices.ContainsFunc(v.References, func(r reference) bool {
				return qualify(contextOf(name), r.Subject) == subject && r.Version == version
			}) {
				list = append(list, v)
			}
		}
	}
	return list
}

// config gives the settings in force for a subject: its own, or those of its
// context, or the registry's. Nil when nothing was set.
func (s *state) config(subject string) *configValue {
	for _, scope := range []string{subject, contextScope(subject), ""} {
		if c := s.configs[scope]; c != nil {
			return c
		}
	}
	return nil
}

// level gives the compatibility level in force for a subject.
func (s *state) level(subject string) string {
	for _, scope := range []string{subject, contextScope(subject), ""} {
		if c := s.configs[scope]; c != nil && c.CompatibilityLevel != "" {
			return c.CompatibilityLevel
		}
	}
	return defaultLevel
}

// mode gives the mode in force for a subject.
func (s *state) mode(subject string) string {
	if s.modes[""] == modeReadOnlyOverride {
		return modeReadOnlyOverride
	}
	for _, scope := range []string{subject, contextScope(subject), ""} {
		if m := s.modes[scope]; m != "" {
			return m
		}
	}
	return modeReadWrite
}

// resolve follows the alias of a subject, if it has one.
func (s *state) resolve(subject string) string {
	if c := s.configs[subject]; c != nil && c.Alias != "" {
		return qualify(contextOf(subject), c.Alias)
	}
	return subject
}

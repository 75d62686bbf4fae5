package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Memory is a registry in memory, without compatibility rules. The zero value
// is an empty one, whose ids begin with 1.
type Memory struct {
	mu       sync.Mutex
	lastID   int
	byID     map[int]Schema      // content alone, guarded by mu
	ids      map[string]int      // by content, guarded by mu
	subjects map[string][]Schema // versions in order, guarded by mu
}

// content is what makes two schemas the same.
func content(s Schema) string {
	var b strings.Builder
	b.WriteString(typeOf(s) + "\x00" + s.Text)
	for _, r := range s.References {
		fmt.Fprintf(&b, "\x00%s\x00%s\x00%d", r.Name, r.Subject, r.Version)
	}
	return b.String()
}

func typeOf(s Schema) string {
	if s.Type == "" {
		return TypeAvro
	}
	return s.Type
}

// Put registers a schema under a subject with a given id, for set-ups in which
// ids are known beforehand. An id that holds another schema is taken over.
func (m *Memory) Put(subject string, id int, s Schema) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(subject, id, s)
}

func (m *Memory) put(subject string, id int, s Schema) {
	if m.byID == nil {
		m.byID, m.ids, m.subjects = map[int]Schema{}, map[string]int{}, map[string][]Schema{}
	}
	s.ID, s.Type = id, typeOf(s)
	m.byID[id] = s
	m.ids[content(s)] = id
	m.lastID = max(m.lastID, id)
	versions := m.subjects[subject]
	if slices.ContainsFunc(versions, func(v Schema) bool { return v.ID == id }) {
		return
	}
	s.Subject, s.Version = subject, 1
	if len(versions) > 0 {
		s.Version = versions[len(versions)-1].Version + 1
	}
	m.subjects[subject] = append(versions, s)
}

// SchemaByID implements Registry.
func (m *Memory) SchemaByID(_ context.Context, id int) (Schema, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.byID[id]
	if !ok {
		return Schema{}, fmt.Errorf("fetching schema %d: %w", id, ErrNotFound)
	}
	return s, nil
}

// Latest implements Registry.
func (m *Memory) Latest(_ context.Context, subject string) (Schema, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	versions := m.subjects[subject]
	if len(versions) == 0 {
		return Schema{}, fmt.Errorf("fetching the latest schema of %s: %w", subject, ErrNotFound)
	}
	return versions[len(versions)-1], nil
}

// Version implements Registry.
func (m *Memory) Version(_ context.Context, subject string, version int) (Schema, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.subjects[subject] {
		if s.Version == version {
			return s, nil
		}
	}
	return Schema{}, fmt.Errorf("fetching version %d of %s: %w", version, subject, ErrNotFound)
}

// Register implements Registry.
func (m *Memory) Register(_ context.Context, subject string, s Schema) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, known := m.ids[content(s)]
	if !known {
		id = m.lastID + 1
	}
	m.put(subject, id, s)
	return id, nil
}

// Lookup implements Registry.
func (m *Memory) Lookup(_ context.Context, subject string, s Schema) (Schema, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.subjects[subject] {
		if content(v) == content(s) {
			return v, true, nil
		}
	}
	return Schema{}, false, nil
}

// DeleteSubject implements Registry.
func (m *Memory) DeleteSubject(_ context.Context, subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.subjects, subject)
	return nil
}

// Subjects lists the subjects in order.
func (m *Memory) Subjects() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]string, 0, len(m.subjects))
	for s := range m.subjects {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

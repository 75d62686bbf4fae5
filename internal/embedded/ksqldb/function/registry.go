package function

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Registry holds functions by name. Names are compared without regard to case.
type Registry struct {
	scalars    map[string]*Scalar
	tables     map[string]*Table
	aggregates map[string]*Aggregate
}

// NewRegistry gives an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		scalars:    map[string]*Scalar{},
		tables:     map[string]*Table{},
		aggregates: map[string]*Aggregate{},
	}
}

// Clone gives a registry with the same functions that can be extended without
// changing this one.
func (r *Registry) Clone() *Registry {
	return &Registry{
		scalars:    maps.Clone(r.scalars),
		tables:     maps.Clone(r.tables),
		aggregates: maps.Clone(r.aggregates),
	}
}

// AddScalar adds a scalar function; a name in use is an error.
func (r *Registry) AddScalar(s *Scalar) error {
	if err := r.free(s.Name); err != nil {
		return err
	}
	r.scalars[upper(s.Name)] = s
	return nil
}

// AddTable adds a table function; a name in use is an error.
func (r *Registry) AddTable(t *Table) error {
	if err := r.free(t.Name); err != nil {
		return err
	}
	r.tables[upper(t.Name)] = t
	return nil
}

// AddAggregate adds an aggregate function; a name in use is an error.
func (r *Registry) AddAggregate(a *Aggregate) error {
	if err := r.free(a.Name); err != nil {
		return err
	}
	r.aggregates[upper(a.Name)] = a
	return nil
}

func (r *Registry) free(name string) error {
	if r.IsKnown(name) {
		return fmt.Errorf("registering function %s: the name is taken", name)
	}
	return nil
}

// IsKnown reports whether there is a function of this name.
func (r *Registry) IsKnown(name string) bool {
	_, ok := r.scalars[upper(name)]
	return ok || r.IsTable(name) || r.IsAggregate(name)
}

// IsAggregate reports whether the name is that of an aggregate function.
func (r *Registry) IsAggregate(name string) bool {
	_, ok := r.aggregates[upper(name)]
	return ok
}

// IsTable reports whether the name is that of a table function.
func (r *Registry) IsTable(name string) bool {
	_, ok := r.tables[upper(name)]
	return ok
}

// Scalar finds a scalar function.
func (r *Registry) Scalar(name string) (*Scalar, error) {
	s, ok := r.scalars[upper(name)]
	if !ok {
		return nil, fmt.Errorf("Can't find any functions with the name '%s'", name)
	}
	return s, nil
}

// Table finds a table function.
func (r *Registry) Table(name string) (*Table, error) {
	t, ok := r.tables[upper(name)]
	if !ok {
		return nil, fmt.Errorf("Can not find any table functions with the name '%s'", name)
	}
	return t, nil
}

// Aggregate finds an aggregate function.
func (r *Registry) Aggregate(name string) (*Aggregate, error) {
	a, ok := r.aggregates[upper(name)]
	if !ok {
		return nil, fmt.Errorf("Can not find any aggregate functions with the name '%s'", name)
	}
	return a, nil
}

// Scalars lists the scalar functions by name.
func (r *Registry) Scalars() []*Scalar { return sorted(r.scalars) }

// Tables lists the table functions by name.
func (r *Registry) Tables() []*Table { return sorted(r.tables) }

// Aggregates lists the aggregate functions by name.
func (r *Registry) Aggregates() []*Aggregate { return sorted(r.aggregates) }

func sorted[F any](m map[string]F) []F {
	list := make([]F, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[name])
	}
	return list
}

func upper(name string) string { return strings.ToUpper(name) }

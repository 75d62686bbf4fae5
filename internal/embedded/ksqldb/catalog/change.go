package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// PutSource adds a stream or table. With replace one of the same name gives way;
// whether it may is for the caller to find out.
func (c *Catalog) PutSource(s *Source, replace bool) error {
	if old, ok := c.sources[s.Name]; ok && !replace {
		return ExistsError(s, old)
	}
	c.sources[s.Name] = s
	return nil
}

// ExistsError is the error of adding a source whose name is taken, in ksqlDB's
// words.
func ExistsError(s, old *Source) error {
	return fmt.Errorf("Cannot add %s '%s': A %s with the same name already exists",
		strings.ToLower(s.Kind.String()), s.Name, strings.ToLower(old.Kind.String()))
}

// CheckDrop says why a stream or table can't be dropped: other sources or
// queries are built on it. The query that was created together with it is no
// reason.
func (c *Catalog) CheckDrop(name string) error {
	s, ok := c.sources[name]
	if !ok {
		return fmt.Errorf("source %s does not exist", name)
	}
	var dependents []string
	var readers, writers []string
	for _, q := range c.Readers(name) {
		switch {
		case q.Kind == Insert:
			readers = append(readers, q.ID)
		case q.Kind == CreateAs && q.Sink != name:
			if sink, ok := c.sources[q.Sink]; ok && sink.CreatedBy == q.ID {
				dependents = append(dependents, q.Sink)
			} else {
				readers = append(readers, q.ID)
			}
		}
	}
	for _, q := range c.Writers(name) {
		if q.ID != s.CreatedBy {
			writers = append(writers, q.ID)
		}
	}
	if len(readers) > 0 || len(writers) > 0 {
		slices.Sort(readers)
		slices.Sort(writers)
		return fmt.Errorf("Cannot drop %s.\nThe following queries read from this source: [%s].\nThe following queries write into this source: [%s].\nYou need to terminate them before dropping %s.",
			name, strings.Join(readers, ", "), strings.Join(writers, ", "), name)
	}
	if len(dependents) > 0 {
		slices.Sort(dependents)
		return fmt.Errorf("Cannot drop %s.\nThe following streams and/or tables read from this source: [%s].\nYou need to drop them before dropping %s.",
			name, strings.Join(dependents, ", "), name)
	}
	return nil
}

// DropSource takes a stream or table out, and with it the query that was
// created together with it or that keeps its rows. It returns the queries that
// must be stopped.
func (c *Catalog) DropSource(name string) ([]*Query, error) {
	if err := c.CheckDrop(name); err != nil {
		return nil, err
	}
	var stopped []*Query
	for _, q := range c.Queries() {
		if q.Sink == name && q.Kind != Insert {
			stopped = append(stopped, q)
			c.RemoveQuery(q.ID)
		}
	}
	delete(c.sources, name)
	return stopped, nil
}

// PutQuery adds a persistent query, or replaces the one of the same id.
func (c *Catalog) PutQuery(q *Query) {
	id := strings.ToUpper(q.ID)
	if _, ok := c.queries[id]; !ok {
		c.order = append(c.order, id)
	}
	c.queries[id] = q
}

// RemoveQuery takes a persistent query out; its sink stays. It reports whether
// there was one of that id.
func (c *Catalog) RemoveQuery(id string) bool {
	id = strings.ToUpper(id)
	if _, ok := c.queries[id]; !ok {
		return false
	}
	delete(c.queries, id)
	c.order = slices.DeleteFunc(c.order, func(o string) bool { return o == id })
	return true
}

// PutType adds a custom type. It reports false, and changes nothing, when there
// is one of that name.
func (c *Catalog) PutType(name string, t *types.Type) bool {
	if _, ok := c.types[name]; ok {
		return false
	}
	c.types[name] = t
	return true
}

// DropType takes a custom type out. It reports whether there was one.
func (c *Catalog) DropType(name string) bool {
	_, ok := c.types[name]
	delete(c.types, name)
	return ok
}

// Types gives a copy of all custom types by name.
func (c *Catalog) Types() map[string]*types.Type { return maps.Clone(c.types) }

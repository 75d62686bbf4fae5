package state

import (
	"bytes"
	"maps"
	"slices"

	"github.com/RaduBerinde/btreemap"
)

// Memory is Stores in memory: for transient queries, tests and the conformance
// runner. It must not be used by several goroutines at once; a Snapshot may be
// used beside its origin.
type Memory struct {
	stores map[string]*memoryStore
}

// NewMemory gives empty stores.
func NewMemory() *Memory { return &Memory{stores: map[string]*memoryStore{}} }

// Store implements Stores; it never fails.
func (m *Memory) Store(name string) (Store, error) {
	s, ok := m.stores[name]
	if !ok {
		s = &memoryStore{tree: btreemap.New[[]byte, []byte](16, bytes.Compare)}
		m.stores[name] = s
	}
	return s, nil
}

// Names lists the stores in order.
func (m *Memory) Names() []string { return slices.Sorted(maps.Keys(m.stores)) }

// Snapshot gives stores with the present content. Neither side sees what is
// written to the other afterwards. It takes a time that doesn't depend on the
// content's size.
func (m *Memory) Snapshot() *Memory {
	c := NewMemory()
	for name, s := range m.stores {
		c.stores[name] = &memoryStore{tree: s.tree.Clone()}
	}
	return c
}

type memoryStore struct {
	tree *btreemap.BTreeMap[[]byte, []byte]
}

func (s *memoryStore) Get(key []byte) ([]byte, bool, error) {
	_, v, ok := s.tree.Get(key)
	return v, ok, nil
}

func (s *memoryStore) Put(key, value []byte) error {
	both := make([]byte, len(key)+len(value))
	copy(both, key)
	copy(both[len(key):], value)
	s.tree.ReplaceOrInsert(both[:len(key):len(key)], both[len(key):])
	return nil
}

func (s *memoryStore) Delete(key []byte) error {
	s.tree.Delete(key)
	return nil
}

func (s *memoryStore) Scan(from, to []byte, visit func(key, value []byte) bool) error {
	lo, hi := btreemap.Min[[]byte](), btreemap.Max[[]byte]()
	if from != nil {
		lo = btreemap.GE(from)
	}
	if to != nil {
		hi = btreemap.LT(to)
	}
	for k, v := range s.tree.Ascend(lo, hi) {
		if !visit(k, v) {
			break
		}
	}
	return nil
}

func (s *memoryStore) ScanDescending(from, to []byte, visit func(key, value []byte) bool) error {
	lo, hi := btreemap.Min[[]byte](), btreemap.Max[[]byte]()
	if from != nil {
		lo = btreemap.GE(from)
	}
	if to != nil {
		hi = btreemap.LT(to)
	}
	for k, v := range s.tree.Descend(hi, lo) {
		if !visit(k, v) {
			break
		}
	}
	return nil
}

package registry

import "sync"

// cache remembers schemas by id. Schemas never change, so it is never wrong.
type cache struct {
	mu   sync.RWMutex
	byID map[int]Schema // guarded by mu
}

func (c *cache) get(id int) (Schema, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok := c.byID[id]
	return s, ok
}

func (c *cache) put(id int, s Schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[int]Schema{}
	}
	c.byID[id] = s
}

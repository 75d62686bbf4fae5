package disk

import (
	"container/list"
	"errors"
	"sync"
)

// Handles keeps files open between uses, but not more than a limit of them
// beside those in use. Files are opened when they are first needed.
type Handles struct {
	fs    FS
	limit int

	mu   sync.Mutex
	open map[string]*Handle
	idle list.List // of *Handle nobody uses; the one used last in front
}

// Handle is an open file in use. Each Acquire needs one Release.
type Handle struct {
	File
	cache   *Handles
	path    string
	users   int
	idle    *list.Element // nil while in use
	dropped bool          // to be closed with the last Release
}

// NewHandles makes a cache that keeps up to limit unused files open.
func NewHandles(fs FS, limit int) *Handles {
	return &Handles{fs: fs, limit: limit, open: map[string]*Handle{}}
}

// Acquire gives a file to use, opened when it isn't yet; with create, it is
// made when it doesn't exist.
func (h *Handles) Acquire(path string, create bool) (*Handle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.open[path]; f != nil {
		f.users++
		if f.idle != nil {
			h.idle.Remove(f.idle)
			f.idle = nil
		}
		return f, nil
	}
	file, err := h.fs.Open(path, create)
	if err != nil {
		return nil, err
	}
	f := &Handle{File: file, cache: h, path: path, users: 1}
	h.open[path] = f
	return f, nil
}

// Release ends the use of a file.
func (f *Handle) Release() {
	h := f.cache
	h.mu.Lock()
	defer h.mu.Unlock()
	f.users--
	if f.users > 0 {
		return
	}
	if f.dropped {
		f.Close() //nolint:errcheck // nothing is buffered: all that was written was written to the system
		return
	}
	f.idle = h.idle.PushFront(f)
	for h.idle.Len() > h.limit {
		oldest := h.idle.Remove(h.idle.Back()).(*Handle)
		delete(h.open, oldest.path)
		oldest.Close() //nolint:errcheck // as above
	}
}

// Drop forgets a file that was removed or gets another name: who uses it may go
// on; the next Acquire of its name opens it again.
func (h *Handles) Drop(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.open[path]
	if f == nil {
		return
	}
	delete(h.open, path)
	if f.idle == nil {
		f.dropped = true
		return
	}
	h.idle.Remove(f.idle)
	f.Close() //nolint:errcheck // as above
}

// Close closes all files that aren't in use; the others close when released.
func (h *Handles) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for path, f := range h.open {
		delete(h.open, path)
		if f.idle == nil {
			f.dropped = true
			continue
		}
		errs = append(errs, f.Close())
	}
	h.idle.Init()
	return errors.Join(errs...)
}

package disk

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Memory is a file system that ends with the process.
type Memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
	dirs  map[string]bool
}

// NewMemory makes an empty file system.
func NewMemory() *Memory {
	return &Memory{files: map[string]*memoryFile{}, dirs: map[string]bool{}}
}

// Open implements [FS].
func (m *Memory) Open(name string, create bool) (File, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		if !create || !m.dirs[filepath.Dir(name)] {
			return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
		}
		f = &memoryFile{}
		m.files[name] = f
	}
	return f, nil
}

// Remove implements [FS].
func (m *Memory) Remove(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	below := name + string(filepath.Separator)
	delete(m.files, name)
	delete(m.dirs, name)
	for file := range m.files {
		if strings.HasPrefix(file, below) {
			delete(m.files, file)
		}
	}
	for dir := range m.dirs {
		if strings.HasPrefix(dir, below) {
			delete(m.dirs, dir)
		}
	}
	return nil
}

// Rename implements [FS].
func (m *Memory) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[from]; f != nil {
		delete(m.files, from)
		m.files[to] = f
		return nil
	}
	if !m.dirs[from] {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: os.ErrNotExist}
	}
	moved := func(name string) (string, bool) {
		rest, ok := strings.CutPrefix(name, from)
		return to + rest, ok && (rest == "" || rest[0] == filepath.Separator)
	}
	for name, f := range m.files {
		if target, ok := moved(name); ok {
			delete(m.files, name)
			m.files[target] = f
		}
	}
	for name := range m.dirs {
		if target, ok := moved(name); ok {
			delete(m.dirs, name)
			m.dirs[target] = true
		}
	}
	return nil
}

// MkdirAll implements [FS].
func (m *Memory) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for dir = filepath.Clean(dir); !m.dirs[dir]; dir = filepath.Dir(dir) {
		m.dirs[dir] = true
	}
	return nil
}

// List implements [FS].
func (m *Memory) List(dir string) ([]Entry, error) {
	dir = filepath.Clean(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[dir] {
		return nil, &os.PathError{Op: "list", Path: dir, Err: os.ErrNotExist}
	}
	var entries []Entry
	for name, f := range m.files {
		if filepath.Dir(name) == dir {
			size, _ := f.Size()
			entries = append(entries, Entry{Name: filepath.Base(name), Size: size})
		}
	}
	for name := range m.dirs {
		if name != dir && filepath.Dir(name) == dir {
			entries = append(entries, Entry{Name: filepath.Base(name), Dir: true})
		}
	}
	return entries, nil
}

// SyncDir implements [FS].
func (*Memory) SyncDir(string) error { return nil }

type memoryFile struct {
	mu      sync.RWMutex
	content []byte
}

func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if off >= int64(len(f.content)) {
		return 0, io.EOF
	}
	n := copy(p, f.content[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if gap := off - int64(len(f.content)); gap > 0 {
		f.content = append(f.content, make([]byte, gap)...)
	}
	n := copy(f.content[off:], p)
	f.content = append(f.content, p[n:]...)
	return len(p), nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size <= int64(len(f.content)) {
		f.content = f.content[:size:size]
	} else {
		f.content = append(f.content, make([]byte, size-int64(len(f.content)))...)
	}
	return nil
}

func (f *memoryFile) Size() (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return int64(len(f.content)), nil
}

func (*memoryFile) Sync() error  { return nil }
func (*memoryFile) Close() error { return nil }

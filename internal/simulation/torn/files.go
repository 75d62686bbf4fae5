package torn

import (
	"io"
	"path/filepath"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

// Files is the disk as the broker sees one.
func (d *Disk) Files() disk.FS { return files{d} }

type files struct{ d *Disk }

// Open implements [disk.FS].
func (f files) Open(name string, create bool) (disk.File, error) {
	id, dir, found, err := f.d.lookup("open", name)
	if err == nil && !found {
		if err = missing("open", name); create {
			id, err = f.d.make(name, "", dir, false)
		}
	}
	if err != nil {
		return nil, err
	}
	return &file{d: f.d, id: id, path: name}, nil
}

// Remove implements [disk.FS].
func (f files) Remove(name string) error { return f.d.remove(name) }

// Rename implements [disk.FS].
func (f files) Rename(from, to string) error { return f.d.rename(from, to) }

// MkdirAll implements [disk.FS].
func (f files) MkdirAll(dir string) error { return f.d.mkdirAll(dir) }

// SyncDir implements [disk.FS].
func (f files) SyncDir(dir string) error { return f.d.syncNames(dir) }

// List implements [disk.FS].
func (f files) List(dir string) ([]disk.Entry, error) {
	names, err := f.d.names(dir)
	if err != nil {
		return nil, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	entries := make([]disk.Entry, 0, len(names))
	for _, name := range names {
		id, ok := f.d.find(filepath.Join(dir, name))
		if !ok {
			continue
		}
		n := f.d.live.nodes[id]
		entries = append(entries, disk.Entry{Name: name, Dir: n.names != nil, Size: int64(len(n.content))})
	}
	return entries, nil
}

// file is an open file.
type file struct {
	d    *Disk
	id   int
	path string
}

// ReadAt implements [io.ReaderAt].
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	content := f.d.live.nodes[f.id].content
	if off >= int64(len(content)) {
		return 0, io.EOF
	}
	n := copy(p, content[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements [io.WriterAt].
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	return f.d.change(f.path, op{kind: Write, node: f.id, at: off, data: p})
}

// Truncate implements [disk.File].
func (f *file) Truncate(size int64) error {
	_, err := f.d.change(f.path, op{kind: Truncate, node: f.id, at: size})
	return err
}

// Sync implements [disk.File].
func (f *file) Sync() error {
	f.d.mu.Lock()
	directory := f.d.live.nodes[f.id].names != nil
	f.d.mu.Unlock()
	kind := SyncFile
	if directory {
		kind = SyncNames
	}
	_, err := f.d.change(f.path, op{kind: kind, node: f.id})
	return err
}

// Size implements [disk.File].
func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.d.live.nodes[f.id].content)), nil
}

// Close implements [io.Closer].
func (*file) Close() error { return nil }

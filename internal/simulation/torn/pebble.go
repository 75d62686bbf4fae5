package torn

import (
	"errors"
	"io"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble is the disk as pebble sees one.
func (d *Disk) Pebble() vfs.FS { return pebbleFS{d} }

type pebbleFS struct{ d *Disk }

// Create implements [vfs.FS].
func (p pebbleFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	_, dir, found, err := p.d.lookup("create", name)
	if err != nil {
		return nil, err
	}
	if found {
		// The file that has the name goes on without it.
		if err := p.d.remove(name); err != nil {
			return nil, err
		}
	}
	id, err := p.d.make(name, path.Base(name), dir, false)
	if err != nil {
		return nil, err
	}
	return p.d.pebbleFile(id, name), nil
}

func (d *Disk) pebbleFile(id int, name string) vfs.File {
	return &pebbleFile{file: file{d: d, id: id, path: name}}
}

// Link implements [vfs.FS].
func (p pebbleFS) Link(oldname, newname string) error {
	id, _, found, err := p.d.lookup("link", oldname)
	if err == nil && !found {
		err = missing("link", oldname)
	}
	if err != nil {
		return err
	}
	_, dir, found, err := p.d.lookup("link", newname)
	if err == nil && found {
		err = &os.LinkError{Op: "link", Old: oldname, New: newname, Err: os.ErrExist}
	}
	if err != nil {
		return err
	}
	_, err = p.d.change(newname, op{kind: Link, node: dir, name: path.Base(newname), child: id})
	return err
}

// Open implements [vfs.FS].
func (p pebbleFS) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	id, _, found, err := p.d.lookup("open", name)
	if err == nil && !found {
		err = missing("open", name)
	}
	if err != nil {
		return nil, err
	}
	return p.d.pebbleFile(id, name), nil
}

// OpenReadWrite implements [vfs.FS].
func (p pebbleFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	f, err := p.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return p.Create(name, category)
	}
	return f, err
}

// OpenDir implements [vfs.FS].
func (p pebbleFS) OpenDir(name string) (vfs.File, error) { return p.Open(name) }

// Remove implements [vfs.FS].
func (p pebbleFS) Remove(name string) error {
	names, err := p.d.names(name)
	if err == nil && len(names) > 0 {
		return &os.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	if _, _, found, err := p.d.lookup("remove", name); err == nil && !found {
		return missing("remove", name)
	}
	return p.d.remove(name)
}

// RemoveAll implements [vfs.FS].
func (p pebbleFS) RemoveAll(name string) error { return p.d.remove(name) }

// Rename implements [vfs.FS].
func (p pebbleFS) Rename(oldname, newname string) error { return p.d.rename(oldname, newname) }

// ReuseForWrite implements [vfs.FS].
func (p pebbleFS) ReuseForWrite(oldname, newname string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	if err := p.d.rename(oldname, newname); err != nil {
		return nil, err
	}
	return p.Open(newname)
}

// MkdirAll implements [vfs.FS].
func (p pebbleFS) MkdirAll(dir string, _ os.FileMode) error { return p.d.mkdirAll(dir) }

// Lock implements [vfs.FS]. Who has died holds no lock.
func (p pebbleFS) Lock(name string) (io.Closer, error) {
	return p.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
}

// List implements [vfs.FS].
func (p pebbleFS) List(dir string) ([]string, error) { return p.d.names(dir) }

// Stat implements [vfs.FS].
func (p pebbleFS) Stat(name string) (vfs.FileInfo, error) {
	f, err := p.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// PathBase implements [vfs.FS].
func (pebbleFS) PathBase(name string) string { return path.Base(name) }

// PathJoin implements [vfs.FS].
func (pebbleFS) PathJoin(elem ...string) string { return path.Join(elem...) }

// PathDir implements [vfs.FS].
func (pebbleFS) PathDir(name string) string { return path.Dir(name) }

// GetDiskUsage implements [vfs.FS].
func (pebbleFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{}, vfs.ErrUnsupported
}

// Unwrap implements [vfs.FS].
func (pebbleFS) Unwrap() vfs.FS { return nil }

// pebbleFile is an open file with a position.
type pebbleFile struct {
	file
	at int64
}

// Read implements [io.Reader].
func (f *pebbleFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Write implements [io.Writer].
func (f *pebbleFile) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.at)
	f.at += int64(n)
	return n, err
}

// Preallocate implements [vfs.File].
func (*pebbleFile) Preallocate(int64, int64) error { return nil }

// SyncTo implements [vfs.File]. It promises nothing.
func (*pebbleFile) SyncTo(int64) (bool, error) { return false, nil }

// SyncData implements [vfs.File].
func (f *pebbleFile) SyncData() error { return f.Sync() }

// Prefetch implements [vfs.File].
func (*pebbleFile) Prefetch(int64, int64) error { return nil }

// Fd implements [vfs.File].
func (*pebbleFile) Fd() uintptr { return vfs.InvalidFd }

// Stat implements [vfs.File].
func (f *pebbleFile) Stat() (vfs.FileInfo, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n := f.d.live.nodes[f.id]
	return fileInfo{path.Base(f.path), int64(len(n.content)), n.names != nil}, nil
}

type fileInfo struct {
	name string
	size int64
	dir  bool
}

// Name implements [os.FileInfo].
func (i fileInfo) Name() string { return i.name }

// Size implements [os.FileInfo].
func (i fileInfo) Size() int64 { return i.size }

// Mode implements [os.FileInfo].
func (i fileInfo) Mode() os.FileMode {
	if i.dir {
		return os.ModeDir | 0o755
	}
	return 0o644
}

// ModTime implements [os.FileInfo]. There is no time on this disk.
func (fileInfo) ModTime() time.Time { return time.Time{} }

// IsDir implements [os.FileInfo].
func (i fileInfo) IsDir() bool { return i.dir }

// Sys implements [os.FileInfo].
func (fileInfo) Sys() any { return nil }

// DeviceID implements [vfs.FileInfo].
func (fileInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

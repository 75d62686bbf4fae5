package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// FS is a file system. Names are paths as the operating system has them. Errors
// for what doesn't exist match [os.ErrNotExist].
type FS interface {
	// Open opens a file for reading and writing; with create, it is made when it
	// doesn't exist.
	Open(name string, create bool) (File, error)
	// Remove removes a file, or a directory with everything in it. Removing what
	// doesn't exist is no error.
	Remove(name string) error
	// Rename gives a file or directory another name, in place of a file that has
	// it already.
	Rename(from, to string) error
	// MkdirAll makes a directory and those it is in.
	MkdirAll(dir string) error
	// List gives what is in a directory, in any order.
	List(dir string) ([]Entry, error)
	// SyncDir has the names in a directory survive the end of the machine.
	SyncDir(dir string) error
}

// Entry is one name in a directory.
type Entry struct {
	Name string
	Dir  bool
	Size int64 // bytes; 0 for directories
}

// File is an open file. Its methods may be called from any goroutine.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync has what was written survive the end of the machine.
	Sync() error
	// Size is the file's length in bytes.
	Size() (int64, error)
}

// OS is the operating system's file system.
type OS struct{}

// Open implements [FS].
func (OS) Open(name string, create bool) (File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(name, flags, 0o640)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Remove implements [FS].
func (OS) Remove(name string) error { return os.RemoveAll(name) }

// Rename implements [FS].
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// MkdirAll implements [FS].
func (OS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o750) }

// List implements [FS].
func (OS) List(dir string) ([]Entry, error) {
	infos, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(infos))
	for _, info := range infos {
		e := Entry{Name: info.Name(), Dir: info.IsDir()}
		if !e.Dir {
			stat, err := info.Info()
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			e.Size = stat.Size()
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// SyncDir implements [FS].
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type osFile struct{ *os.File }

// Size implements [File].
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// ReadFile gives a file's whole content.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	content := make([]byte, size)
	n, err := f.ReadAt(content, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return content[:n], nil
}

// WriteFile gives a file new content such that a crash of the process leaves
// the old or the new one; with sync, also a crash of the machine.
func WriteFile(fs FS, name string, content []byte, sync bool) error {
	tmp := name + ".tmp"
	f, err := fs.Open(tmp, true)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(content, 0)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	if err := fs.Rename(tmp, name); err != nil {
		return err
	}
	if sync {
		return fs.SyncDir(filepath.Dir(name))
	}
	return nil
}

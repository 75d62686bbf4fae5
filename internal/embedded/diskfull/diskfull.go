// Package diskfull has a file system for the embedded servers' pebble databases that
// waits where the disk is full. A database that is told that a write failed can only
// end the process; one whose write takes long goes on by itself when there is space,
// and nobody was told meanwhile that something was kept.
//
// Invariants: an operation that found no space is done again until it succeeds, fails
// for another reason, or [FS.GiveUp] was called; what was written of it before is not
// written twice. Reading never waits.
package diskfull

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DefaultInterval is how often an operation that found no space is tried again.
const DefaultInterval = 200 * time.Millisecond

// Config configures an FS.
type Config struct {
	// FS is the file system underneath; nil means the operating system's.
	FS vfs.FS
	// Interval is how long to wait before an operation is tried again; 0 means
	// DefaultInterval.
	Interval time.Duration
	// Logger is told once when the disk is full and once when it no longer is. Nil
	// means nobody is.
	Logger *slog.Logger
}

// FS is the file system that waits. It may be used by several databases.
type FS struct {
	vfs.FS
	interval time.Duration
	log      *slog.Logger
	givenUp  chan struct{}

	mu      sync.Mutex
	waiting int   // operations that found no space
	reason  error // of one of them
	ended   bool  // givenUp is closed
}

// New makes a file system that waits where the one underneath is full.
func New(cfg Config) *FS {
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &FS{FS: cfg.FS, interval: cfg.Interval, log: cfg.Logger, givenUp: make(chan struct{})}
}

// GiveUp has operations fail that find no space, those that wait included: a process
// that is to end doesn't wait. It may be called twice.
func (fs *FS) GiveUp() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !fs.ended {
		fs.ended = true
		close(fs.givenUp)
	}
}

// Err says what failed while something waits for space, and is nil otherwise.
func (fs *FS) Err() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.waiting == 0 {
		return nil
	}
	return fmt.Errorf("the disk is full: %w", fs.reason)
}

// Unwrap implements [vfs.FS].
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

// Create implements [vfs.FS].
func (fs *FS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.open(func() (vfs.File, error) { return fs.FS.Create(name, category) })
}

// OpenReadWrite implements [vfs.FS].
func (fs *FS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return fs.open(func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, category, opts...) })
}

// ReuseForWrite implements [vfs.FS].
func (fs *FS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.open(func() (vfs.File, error) { return fs.FS.ReuseForWrite(oldname, newname, category) })
}

// Link implements [vfs.FS].
func (fs *FS) Link(oldname, newname string) error {
	return fs.until(func() error { return fs.FS.Link(oldname, newname) })
}

// Rename implements [vfs.FS].
func (fs *FS) Rename(oldname, newname string) error {
	return fs.until(func() error { return fs.FS.Rename(oldname, newname) })
}

// MkdirAll implements [vfs.FS].
func (fs *FS) MkdirAll(dir string, perm os.FileMode) error {
	return fs.until(func() error { return fs.FS.MkdirAll(dir, perm) })
}

func (fs *FS) open(open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := fs.until(func() (err error) {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return file{File: f, fs: fs}, nil
}

type file struct {
	vfs.File
	fs *FS
}

// Write implements [vfs.File].
func (f file) Write(p []byte) (written int, err error) {
	err = f.fs.until(func() error {
		n, err := f.File.Write(p[written:])
		written += n
		return err
	})
	return written, err
}

// WriteAt implements [vfs.File].
func (f file) WriteAt(p []byte, at int64) (written int, err error) {
	err = f.fs.until(func() error {
		n, err := f.File.WriteAt(p[written:], at+int64(written))
		written += n
		return err
	})
	return written, err
}

// until does something again until there is space for it.
func (fs *FS) until(do func() error) error {
	err := do()
	if !full(err) || !fs.begin(err) {
		return err
	}
	defer fs.end()
	timer := time.NewTimer(fs.interval)
	defer timer.Stop()
	for full(err) {
		select {
		case <-fs.givenUp:
			return err
		case <-timer.C:
		}
		err = do()
		timer.Reset(fs.interval)
	}
	return err
}

// full reports whether an error says that there is no space, or none left for this user.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// begin counts an operation that is to wait; false when nobody waits any more.
func (fs *FS) begin(reason error) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.ended {
		return false
	}
	fs.waiting++
	fs.reason = reason
	if fs.waiting == 1 {
		fs.log.Error("the disk is full: what was taken in is kept, and nothing more is until there is space; then everything goes on by itself", "error", reason)
	}
	return true
}

func (fs *FS) end() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.waiting--
	if fs.waiting == 0 {
		fs.reason = nil
		if !fs.ended {
			fs.log.Info("there is disk space again")
		}
	}
}

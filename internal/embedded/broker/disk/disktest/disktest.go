// Package disktest has file systems for tests: one that runs full, fails or ends, and
// one whose machine loses its power.
package disktest

import (
	"errors"
	"sync"
	"syscall"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

// Faulty is a file system that can run full and fail to sync.
type Faulty struct {
	disk.FS

	mu      sync.Mutex
	limited bool
	left    int64
	sync    error
	steps   int // until everything fails; 0 for never
	dead    bool
}

// ErrDead is the error of everything after the crash that DieAfter set.
var ErrDead = errors.New("the process is dead")

// DieAfter lets n more changes be made; all later ones fail, as if the process had
// ended.
func (f *Faulty) DieAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps, f.dead = n+1, false
}

// step counts a change. The lock must be held.
func (f *Faulty) step() error {
	if f.steps > 0 {
		f.steps--
		f.dead = f.dead || f.steps == 0
	}
	if f.dead {
		return ErrDead
	}
	return nil
}

// Rename implements [disk.FS].
func (f *Faulty) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

// Remove implements [disk.FS].
func (f *Faulty) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// Limit lets n more bytes be written; the write that goes beyond is cut off
// there. A negative n lifts the limit.
func (f *Faulty) Limit(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limited, f.left = n >= 0, n
}

// FailSync has every sync fail, or with nil none.
func (f *Faulty) FailSync(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sync = err
}

// Open implements [disk.FS].
func (f *Faulty) Open(name string, create bool) (disk.File, error) {
	file, err := f.FS.Open(name, create)
	if err != nil {
		return nil, err
	}
	return faultyFile{file, f}, nil
}

type faultyFile struct {
	disk.File
	fs *Faulty
}

func (f faultyFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return 0, err
	}
	if !f.fs.limited || int64(len(p)) <= f.fs.left {
		f.fs.left -= int64(len(p))
		return f.File.WriteAt(p, off)
	}
	n, err := f.File.WriteAt(p[:f.fs.left], off)
	f.fs.left = 0
	if err == nil {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f faultyFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f faultyFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.sync != nil {
		return f.fs.sync
	}
	return f.File.Sync()
}

// Powered is a file system in memory that remembers what was synced.
type Powered struct {
	*disk.Memory
	mu     sync.Mutex
	synced map[string][]byte
}

// NewPowered makes an empty one.
func NewPowered() *Powered {
	return &Powered{Memory: disk.NewMemory(), synced: map[string][]byte{}}
}

// Open implements [disk.FS].
func (p *Powered) Open(name string, create bool) (disk.File, error) {
	file, err := p.Memory.Open(name, create)
	if err != nil {
		return nil, err
	}
	return poweredFile{file, p, name}, nil
}

// Rename implements [disk.FS].
func (p *Powered) Rename(from, to string) error {
	p.mu.Lock()
	if content, ok := p.synced[from]; ok {
		delete(p.synced, from)
		p.synced[to] = content
	}
	p.mu.Unlock()
	return p.Memory.Rename(from, to)
}

// Remove implements [disk.FS].
func (p *Powered) Remove(name string) error {
	p.mu.Lock()
	delete(p.synced, name)
	p.mu.Unlock()
	return p.Memory.Remove(name)
}

// Cut gives what is left after the power was gone: of every file what was synced
// last.
func (p *Powered) Cut(dirs ...string) (*disk.Memory, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := disk.NewMemory()
	for _, dir := range dirs {
		if err := left.MkdirAll(dir); err != nil {
			return nil, err
		}
	}
	for name, content := range p.synced {
		file, err := left.Open(name, true)
		if err != nil {
			return nil, err
		}
		if _, err := file.WriteAt(content, 0); err != nil {
			return nil, err
		}
	}
	return left, nil
}

type poweredFile struct {
	disk.File
	fs   *Powered
	name string
}

func (f poweredFile) Sync() error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	content := make([]byte, size)
	if n, err := f.ReadAt(content, 0); int64(n) < size {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.synced[f.name] = content
	return nil
}

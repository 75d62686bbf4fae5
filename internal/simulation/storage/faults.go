package storage

import (
	"math/rand/v2"
	"syscall"

	"github.com/orderflow/orderflow/internal/simulation/torn"
)

// faults decide on what happens to changes.
type faults struct {
	random   *rand.Rand
	deadline int // the change that is the last one; 0 for none
	dead     bool
	full     bool // the disk has room for left bytes more
	left     int
	failing  bool // some changes fail
	lasts    int  // actions until the disk is well again
}

// die has the process die after n more changes, in the middle of the next.
func (f *faults) die(n int) {
	if f.deadline == 0 {
		f.deadline = n + 1
	}
}

// tick begins and ends times in which the disk is full or fails.
func (f *faults) tick() {
	if f.lasts > 0 {
		if f.lasts--; f.lasts == 0 {
			f.heal()
		}
		return
	}
	switch f.random.IntN(80) {
	case 0:
		f.full, f.left, f.lasts = true, f.random.IntN(4000), 1+f.random.IntN(8)
	case 1:
		f.failing, f.lasts = true, 1+f.random.IntN(6)
	}
}

// heal has the disk work again.
func (f *faults) heal() { f.full, f.failing, f.lasts = false, false, 0 }

// ill tells whether the disk is full or fails.
func (f *faults) ill() bool { return f.full || f.failing }

// decide is the hook of the world's disk.
func (w *World) decide(c torn.Change) (int, error) {
	f := &w.faults
	if f.dead {
		return 0, torn.ErrDead
	}
	if c.Kind == torn.SyncFile && w.during != nil {
		now := w.during
		w.during = nil
		now()
		if f.dead {
			return 0, torn.ErrDead
		}
	}
	whole := max(c.Size, 1)
	if f.deadline > 0 {
		if f.deadline--; f.deadline == 0 {
			f.dead = true
			return f.random.IntN(whole + 1), torn.ErrDead
		}
	}
	if c.Kind == torn.SyncFile && !w.sync() {
		return whole, nil // without syncs, nothing is promised for a disk that loses data
	}
	switch {
	case f.failing && f.random.IntN(3) == 0:
		if c.Kind == torn.Write {
			return f.random.IntN(whole + 1), syscall.EIO
		}
		return 0, syscall.EIO
	case f.full && c.Kind == torn.Link:
		return 0, syscall.ENOSPC
	case f.full && c.Kind == torn.Write:
		if c.Size > f.left {
			made := f.left
			f.left = 0
			return made, syscall.ENOSPC
		}
		f.left -= c.Size
	}
	return whole, nil
}

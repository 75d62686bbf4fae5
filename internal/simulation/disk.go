package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
	"github.com/orderflow/orderflow/internal/simulation/torn"
)

// disk is where the tasks keep their state.
type disk interface {
	// open gives the state of a task that starts.
	open(id state.TaskID) durable
	// committed gives the stores of a task as of its last commit.
	committed(id state.TaskID) state.Stores
	// crash leaves what the process's end at this moment leaves.
	crash() error
	close() error
}

// durable is the state of a running task. A commit is one from its beginning; that it
// stays is known only later.
type durable interface {
	task.State
	// acknowledged says that the last commit has returned.
	acknowledged()
}

// wholeDisk has a commit as a whole or not at all.
type wholeDisk map[state.TaskID]*wholeTask

type wholeTask struct {
	stores *state.Memory
	commit *state.Commit
}

func (d wholeDisk) task(id state.TaskID) *wholeTask {
	t := d[id]
	if t == nil {
		t = &wholeTask{stores: state.NewMemory()}
		d[id] = t
	}
	return t
}

func (d wholeDisk) open(id state.TaskID) durable {
	t := d.task(id)
	return &wholeState{t.stores.Snapshot(), t}
}

func (d wholeDisk) committed(id state.TaskID) state.Stores { return d.task(id).stores.Snapshot() }

func (wholeDisk) crash() error { return nil }
func (wholeDisk) close() error { return nil }

type wholeState struct {
	*state.Memory
	task *wholeTask
}

func (s *wholeState) Commit(c *state.Commit) error {
	s.task.stores, s.task.commit = s.Snapshot(), clone(c)
	return nil
}

func (s *wholeState) Last() (*state.Commit, error) {
	if s.task.commit == nil {
		return nil, nil
	}
	return clone(s.task.commit), nil
}

func (*wholeState) Close() error  { return nil }
func (*wholeState) acknowledged() {}

func clone(c *state.Commit) *state.Commit {
	copied := *c
	copied.Outbox, copied.Bounds = slices.Clone(c.Outbox), slices.Clone(c.Bounds)
	return &copied
}

const (
	stateDir = "/state"
	// journal is how the names of the files end that commits are written to first.
	journal = ".log"
)

// tornDisk is the store of the product on a disk that tears: a crash leaves of the
// commits that have not returned what was written of them up to some byte and, when
// the machine ends, of that only what was synced and any part of the rest.
type tornDisk struct {
	random *rand.Rand
	bug    Bug
	sync   bool // commits wait for the disk, and it is the machine that ends
	disk   *torn.Disk
	db     *state.DB
	// acked is a moment by which everything was written that has returned, before is
	// the one of the commit before.
	acked, before torn.Point
}

func newTornDisk(random *rand.Rand, bug Bug) (*tornDisk, error) {
	d := &tornDisk{random: random, bug: bug, sync: random.IntN(2) == 0, disk: torn.NewDisk()}
	if bug == SkipSync {
		d.sync = true
	}
	return d, d.start()
}

// start opens the store.
func (d *tornDisk) start() error {
	began := d.disk.Now()
	var err error
	d.db, err = state.OpenDB(state.DiskConfig{
		Dir: stateDir, Sync: d.sync && d.bug != SkipSync, FS: d.disk.Pebble(), NoCompaction: true, Logger: quiet,
	})
	if err != nil {
		return fmt.Errorf("starting on what a crash left: %w", err)
	}
	d.acked, d.before = began, began
	return nil
}

func (d *tornDisk) open(id state.TaskID) durable {
	return &tornState{TaskState: d.db.Task(id), disk: d}
}

func (d *tornDisk) committed(id state.TaskID) state.Stores { return d.db.Committed(id) }

func (d *tornDisk) crash() error {
	since := d.acked
	if d.bug == AcknowledgeEarly {
		since = d.before
	}
	at := d.disk.After(since, d.random.IntN(d.disk.Written(since, journal)+1), journal)
	for {
		left := d.leave(at)
		if err := d.close(); err != nil {
			return err
		}
		d.disk = left
		began := d.disk.Now()
		if err := d.start(); err != nil {
			return err
		}
		if d.random.IntN(3) > 0 {
			return nil
		}
		at = d.disk.Somewhere(began, d.random) // it ends while it starts
	}
}

// leave gives what is left when the process, or the machine, ends at a moment.
func (d *tornDisk) leave(at torn.Point) *torn.Disk {
	if d.sync {
		return d.disk.End(at, true, d.random.Uint64())
	}
	return d.disk.Kill(at)
}

func (d *tornDisk) close() error {
	if d.db == nil {
		return nil // it didn't start
	}
	return d.db.Close()
}

type tornState struct {
	*state.TaskState
	disk *tornDisk
	end  torn.Point
}

func (s *tornState) Commit(c *state.Commit) error {
	if s.disk.bug == CommitInParts {
		last, err := s.Last()
		if err != nil {
			return err
		}
		if last != nil {
			// What was written to the stores comes first, with the record of before.
			if err := s.TaskState.Commit(last); err != nil {
				return err
			}
		}
	}
	err := s.TaskState.Commit(c)
	s.end = s.disk.disk.Now()
	return err
}

func (s *tornState) acknowledged() {
	if s.end != s.disk.acked && !s.end.Before(s.disk.acked) {
		s.disk.before, s.disk.acked = s.disk.acked, s.end
	}
}

package storage

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/group"
	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
	"github.com/orderflow/orderflow/internal/simulation/torn"
)

const (
	dir = "data"
	// handles is how many files are kept open: few, so that they are opened again.
	handles = 4
	// maxMetadata is what an offset may be committed with, in bytes.
	maxMetadata = 64 << 10
)

// Options say what a simulation does beside its seed. The functions are for mistakes
// that are made on purpose, to show that they would be found.
type Options struct {
	// Files puts something in between the broker and its disk.
	Files func(disk.FS) disk.FS
	// Before is called with the disk before a broker starts.
	Before func(disk.FS) error
	// Hasty acknowledges records before they are on the disk.
	Hasty bool
	// Apart commits offsets that belong together one by one.
	Apart bool
	// TrimOnly trims logs without a note of it.
	TrimOnly bool
	// Logger gets what the broker logs and what happens to it; nil for nobody.
	Logger *slog.Logger
}

// Result is the outcome of a simulation.
type Result struct {
	Seed uint64
	// Violation says what went wrong, empty when nothing did.
	Violation string
	// Records were acknowledged; Kills and Ends say how often the process was killed
	// and how often the machine ended.
	Records, Kills, Ends int
	// Digest is made of everything that was found after each start.
	Digest uint64
}

// mode says what the broker is asked to promise, and what happens to it.
type mode int

const (
	killed mode = iota // without syncs; processes are killed
	synced             // with syncs; processes are killed and machines end
	lossy              // without syncs; processes are killed and machines end
)

// World is one simulation.
type World struct {
	options Options
	random  *rand.Rand
	mode    mode
	now     time.Time
	run     uint32 // the machine's; 0 when it isn't known
	disk    *torn.Disk
	faults  faults
	broker  *broker
	model   *model
	result  Result
	during  func() // what happens while the next file is synced
	failed  error  // of what happened then

	producers []*producer
	sent      int    // records
	wordy     bool   // offsets are committed with metadata
	words     string // which
}

// broker is a running one, as far as its disk is concerned.
type broker struct {
	handles *disk.Handles
	catalog *catalog.Catalog
	journal *journal.Journal
	groups  *group.Coordinator
}

// violation is what went wrong.
type violation struct{ text string }

func (v violation) Error() string { return v.text }

func broken(format string, args ...any) error { return violation{fmt.Sprintf(format, args...)} }

// Run simulates a seed.
func Run(seed uint64, options Options) (Result, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	w := &World{
		options: options, random: rand.New(rand.NewPCG(seed, 0xd15c)), now: time.UnixMilli(1_800_000_000_000),
		disk: torn.NewDisk(), model: newModel(), result: Result{Seed: seed}, run: 1,
	}
	w.mode = []mode{killed, synced, synced, lossy}[w.random.IntN(4)]
	if w.random.IntN(5) == 0 {
		w.run = 0
	}
	if w.wordy = w.random.IntN(8) == 0; w.wordy {
		w.words = strings.Repeat("x", maxMetadata)
	}
	// The folder that the broker is given is there to stay.
	files := w.disk.Files()
	if err := errors.Join(files.MkdirAll(dir), files.SyncDir("/")); err != nil {
		return w.result, err
	}
	err := w.play()
	var v violation
	if errors.As(err, &v) {
		w.result.Violation, err = fmt.Sprintf("seed %d: %s", seed, v.text), nil
	}
	return w.result, err
}

// play lets the broker live and die several times.
func (w *World) play() error {
	for range 3 + w.random.IntN(5) {
		if err := w.start(); err != nil {
			return err
		}
		if err := w.live(20 + w.random.IntN(60)); err != nil {
			return err
		}
		if err := w.die(); err != nil {
			return err
		}
	}
	return w.start()
}

// start starts the broker, if need be after some starts that end before they are
// done, and looks at what is there.
func (w *World) start() error {
	for attempts := 0; ; attempts++ {
		w.faults = faults{random: w.random}
		if attempts < 3 && w.random.IntN(3) == 0 {
			w.faults.die(w.random.IntN(25))
		}
		err := w.open()
		if err == nil && !w.faults.dead {
			w.faults.deadline = 0
			break
		}
		if !w.faults.dead {
			return broken("the broker doesn't start: %s", err)
		}
		if err := w.end(); err != nil {
			return err
		}
	}
	if err := w.look(); err != nil {
		return err
	}
	w.digest()
	return nil
}

func (w *World) open() error {
	files := w.disk.Files()
	if w.options.Before != nil {
		if err := w.options.Before(files); err != nil {
			return err
		}
	}
	w.disk.Hook(w.decide)
	if w.options.Files != nil {
		files = w.options.Files(files)
	}
	sync := w.mode == synced
	b := &broker{handles: disk.NewHandles(files, handles)}
	w.broker = b
	env := &commitlog.Env{
		FS: files, Handles: b.handles, Boot: w.run, Sync: sync, Root: dir, Now: func() time.Time { return w.now }, Logger: w.options.Logger,
	}
	var err error
	if b.catalog, err = catalog.Open(catalog.Config{Env: env, Dir: dir, OpenTogether: 1}); err != nil {
		return err
	}
	if b.journal, err = journal.Open(journal.Config{FS: files, Path: dir + "/groups", Sync: sync, Logger: w.options.Logger}); err != nil {
		return err
	}
	b.groups, err = group.New(group.Config{
		Journal: b.journal,
		HasPartition: func(topic string, p int32) bool {
			t := b.catalog.Topic(topic)
			return t != nil && t.Partition(p) != nil
		},
		MinSession: time.Second, MaxSession: time.Hour, MaxMetadata: maxMetadata, Logger: w.options.Logger,
	})
	return err
}

// live has the broker do things until it has done enough of them or is dead.
func (w *World) live(actions int) error {
	for range actions {
		if w.random.IntN(25) == 0 {
			w.faults.die(w.random.IntN(12))
		}
		w.faults.tick()
		w.now = w.now.Add(time.Duration(w.random.IntN(2000)) * time.Millisecond)
		if err := w.act(); err != nil {
			return err
		}
		if w.faults.dead {
			return nil
		}
	}
	return nil
}

// die ends the broker in one of the ways there are.
func (w *World) die() error {
	if w.faults.dead || w.random.IntN(3) > 0 {
		return w.end()
	}
	w.faults.heal()
	b := w.broker
	b.groups.Close()
	err := errors.Join(b.journal.Close(), b.catalog.Close(), b.handles.Close())
	if err != nil && !w.faults.dead {
		return broken("closing the broker: %s", err)
	}
	return w.end()
}

// end takes the process away, or its machine.
func (w *World) end() error {
	w.disk.Hook(nil)
	if w.mode != killed && w.random.IntN(2) == 0 {
		// Nothing tells a batch whose sector with the offset is missing from another one:
		// without syncs, files lose their ends only.
		w.disk = w.disk.End(w.disk.Now(), w.mode == synced, w.random.Uint64())
		if w.run > 0 {
			w.run++
		}
		w.result.Ends++
		w.options.Logger.Info("the machine ends")
		w.model.ended(w.mode == lossy)
		return nil
	}
	w.disk = w.disk.Kill(w.disk.Now())
	w.result.Kills++
	w.options.Logger.Info("the process is killed")
	return nil
}

// mix takes something into the digest.
func (w *World) mix(format string, args ...any) {
	h := fnv.New64a()
	// Writing to a hash never fails.
	_, _ = fmt.Fprintf(h, "%x ", w.result.Digest)
	_, _ = fmt.Fprintf(h, format, args...)
	w.result.Digest = h.Sum64()
}

package storage_test

import (
	"encoding/binary"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/batch/batchtest"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/simulation/seeds"
	"github.com/orderflow/orderflow/internal/simulation/storage"
)

// Bugs that are put in on purpose, in between the broker and its disk or into its use,
// are each found within 1000 seeds.
func TestPlantedBugsAreFound(t *testing.T) {
	for name, options := range map[string]storage.Options{
		"leave out the syncs of files":            {Files: func(fs disk.FS) disk.FS { return careless{FS: fs, suffix: ""} }},
		"put an unsynced file in another's place": {Files: func(fs disk.FS) disk.FS { return careless{FS: fs, suffix: ".tmp"} }},
		"leave out the syncs of directories":      {Files: func(fs disk.FS) disk.FS { return nameless{fs} }},
		"acknowledge before syncing":              {Hasty: true},
		"acknowledge before writing":              {Files: func(fs disk.FS) disk.FS { return late{fs, &delayed{}} }},
		"leave the segments that were removed":    {Files: func(fs disk.FS) disk.FS { return unremoved{fs} }},
		"take a torn batch for a whole one":       {Before: completeTails},
		"commit offsets one by one":               {Apart: true},
		"trim without a note":                     {TrimOnly: true},
	} {
		t.Run(name, func(t *testing.T) {
			var found atomic.Pointer[storage.Result]
			ran := seeds.Run(t, 1, 1000, simulate(options), func(r storage.Result) bool {
				if r.Violation == "" {
					return false
				}
				found.Store(&r)
				return true
			})
			require.NotNil(t, found.Load(), "not found in %d seeds", ran)
			t.Logf("found after %d seeds: %s", ran, found.Load().Violation)
		})
	}
}

// careless doesn't sync files whose names end with a suffix.
type careless struct {
	disk.FS
	suffix string
}

func (fs careless) Open(name string, create bool) (disk.File, error) {
	f, err := fs.FS.Open(name, create)
	if err != nil || !strings.HasSuffix(name, fs.suffix) {
		return f, err
	}
	return unsynced{f}, nil
}

type unsynced struct{ disk.File }

func (unsynced) Sync() error { return nil }

// nameless doesn't sync directories.
type nameless struct{ disk.FS }

func (nameless) SyncDir(string) error { return nil }

// unremoved removes no segments.
type unremoved struct{ disk.FS }

func (fs unremoved) Remove(name string) error {
	if strings.HasSuffix(name, ".log") {
		return nil
	}
	return fs.FS.Remove(name)
}

// late keeps each write in the process until the next thing is done.
type late struct {
	disk.FS
	write *delayed
}

type delayed struct {
	file    disk.File
	content []byte
	at      int64
}

func (d *delayed) flush() error {
	if d.file == nil {
		return nil
	}
	_, err := d.file.WriteAt(d.content, d.at)
	d.file = nil
	return err
}

func (fs late) Open(name string, create bool) (disk.File, error) {
	if err := fs.write.flush(); err != nil {
		return nil, err
	}
	f, err := fs.FS.Open(name, create)
	if err != nil {
		return nil, err
	}
	return lateFile{f, fs.write}, nil
}

func (fs late) Rename(from, to string) error {
	if err := fs.write.flush(); err != nil {
		return err
	}
	return fs.FS.Rename(from, to)
}

type lateFile struct {
	disk.File
	write *delayed
}

func (f lateFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.write.flush(); err != nil {
		return 0, err
	}
	f.write.file, f.write.content, f.write.at = f.File, append([]byte(nil), p...), off
	return len(p), nil
}

func (f lateFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.write.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f lateFile) Size() (int64, error) {
	if err := f.write.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f lateFile) Truncate(size int64) error {
	if err := f.write.flush(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f lateFile) Sync() error {
	if err := f.write.flush(); err != nil {
		return err
	}
	return f.File.Sync()
}

// completeTails does what a broker would that doesn't look at checksums: of batches
// that a crash cut off it makes whole ones.
func completeTails(fs disk.FS) error {
	return walk(fs, "data", func(name string) error {
		if !strings.HasSuffix(name, ".log") {
			return nil
		}
		content, err := disk.ReadFile(fs, name)
		if err != nil {
			return err
		}
		rest := content
		for len(rest) > 0 {
			size, err := batch.Size(rest)
			if err != nil {
				return nil
			}
			if size > len(rest) {
				whole := append(batch.Batch(nil), rest...)
				whole = append(whole, make([]byte, size-len(rest))...)
				binary.BigEndian.PutUint32(whole[8:], uint32(size-batch.PrefixSize))
				batchtest.Seal(whole)
				f, err := fs.Open(name, false)
				if err != nil {
					return err
				}
				_, err = f.WriteAt(whole, int64(len(content)-len(rest)))
				return err
			}
			rest = rest[size:]
		}
		return nil
	})
}

func walk(fs disk.FS, dir string, visit func(name string) error) error {
	entries, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		if e.Dir {
			err = walk(fs, name, visit)
		} else {
			err = visit(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

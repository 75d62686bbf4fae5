package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orderflow/orderflow/internal/embedded/unsynced"
)

// diskFormat is the version of the layout of keys and commits on disk.
const diskFormat = 1

// DiskConfig configures a DB.
type DiskConfig struct {
	// Dir is the directory of the database, made when absent.
	Dir string
	// Sync makes every commit wait for the disk. Without it a commit survives
	// the end of the process at any moment, but not that of the machine.
	Sync bool
	// FS holds the database; nil means the operating system's.
	FS vfs.FS
	// NoCompaction leaves out what is done in the background for speed and space, so
	// that less of what happens on FS is up to chance: for simulations.
	NoCompaction bool
	Logger       *slog.Logger
}

// DB holds the state of all tasks on disk.
//
// A key is the query's id and a zero byte, the task (sub-topology and
// partition, big endian), the store's name and a zero byte, then the key of the
// store. The commit record of a task lies under the empty store name.
type DB struct {
	pebble *pebble.DB
}

// OpenDB opens the database and makes it when absent. The error says so when
// the directory can't be used or was written by a newer version.
func OpenDB(cfg DiskConfig) (*DB, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if err := cfg.FS.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	if err := checkFormat(cfg.FS, filepath.Join(cfg.Dir, "format"), cfg.Sync); err != nil {
		return nil, err
	}
	opts := &pebble.Options{
		FS:                 cfg.FS,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       8 << 20,
		CacheSize:          16 << 20,
		Logger:             pebbleLogger{cfg.Logger},

		DisableAutomaticCompactions: cfg.NoCompaction,
		DisableTableStats:           cfg.NoCompaction,
	}
	if !cfg.Sync {
		opts.FS = unsynced.Over(cfg.FS)
	}
	db, err := pebble.Open(filepath.Join(cfg.Dir, "db"), opts)
	if err != nil {
		return nil, fmt.Errorf("opening the state in %s: %w", cfg.Dir, err)
	}
	return &DB{pebble: db}, nil
}

// checkFormat refuses what a newer version wrote. A file without content is what the end
// of the machine may leave of one that was being made.
func checkFormat(fs vfs.FS, path string, sync bool) error {
	data, err := readFile(fs, path)
	got := strings.Trim(string(data), "\x00\n\r ")
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && got == "":
		if err := writeFormat(fs, path, sync); err != nil {
			return fmt.Errorf("writing the state's version: %w", err)
		}
	case err != nil:
		return fmt.Errorf("reading the state's version: %w", err)
	case got != fmt.Sprint(diskFormat):
		return fmt.Errorf("%s says version %s, this program reads version %d: use the program that wrote it", path, got, diskFormat)
	}
	return nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

func writeFormat(fs vfs.FS, path string, sync bool) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(fmt.Appendf(nil, "%d\n", diskFormat))
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil || !sync {
		return err
	}
	dir := filepath.Dir(path)
	for _, name := range []string{dir, filepath.Dir(dir)} {
		f, err := fs.OpenDir(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the database. Tasks must have been let go before.
func (db *DB) Close() error {
	if err := db.pebble.Close(); err != nil {
		return fmt.Errorf("closing the state: %w", err)
	}
	return nil
}

// TaskID names a task.
type TaskID struct {
	Query     string
	Sub       int
	Partition int32
}

func (id TaskID) prefix() []byte {
	b := append([]byte(id.Query), 0)
	b = binary.BigEndian.AppendUint16(b, uint16(id.Sub))
	return binary.BigEndian.AppendUint32(b, uint32(id.Partition))
}

// DropQuery removes all state of a query at once.
func (db *DB) DropQuery(query string) error {
	from := append([]byte(query), 0)
	to := append([]byte(query), 1)
	if err := db.pebble.DeleteRange(from, to, pebble.Sync); err != nil {
		return fmt.Errorf("dropping the state of query %s: %w", query, err)
	}
	return nil
}

// Queries lists the ids of the queries that have state.
func (db *DB) Queries() ([]string, error) {
	iter, err := db.pebble.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("listing queries with state: %w", err)
	}
	defer iter.Close()
	var ids []string
	for ok := iter.First(); ok; {
		query, _, _ := strings.Cut(string(iter.Key()), "\x00")
		ids = append(ids, query)
		ok = iter.SeekGE(append([]byte(query), 1))
	}
	if err := iter.Error(); err != nil {
		return nil, fmt.Errorf("listing queries with state: %w", err)
	}
	return ids, nil
}

// Size is about how many bytes a store of a task takes: its files on disk, or as
// long as it has none, its rows in memory. What was written since the files were
// is not in it.
func (db *DB) Size(id TaskID, store string) (int64, error) {
	from, err := storePrefix(id.prefix(), store)
	if err != nil {
		return 0, err
	}
	to := append([]byte(nil), from...)
	to[len(to)-1] = 1
	onDisk, err := db.pebble.EstimateDiskUsage(from, to)
	if err != nil {
		return 0, fmt.Errorf("asking for the size of store %s: %w", store, err)
	}
	if onDisk > 0 {
		return int64(onDisk), nil
	}
	iter, err := db.pebble.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return 0, fmt.Errorf("asking for the size of store %s: %w", store, err)
	}
	var size int64
	for ok := iter.First(); ok; ok = iter.Next() {
		size += int64(len(iter.Key()) - len(from) + len(iter.Value()))
	}
	if err := iter.Close(); err != nil {
		return 0, fmt.Errorf("asking for the size of store %s: %w", store, err)
	}
	return size, nil
}

// Committed gives the stores of a task as of its last commit, for readers
// beside the task. Writing to them fails.
func (db *DB) Committed(id TaskID) Stores { return &committed{db: db, prefix: id.prefix()} }

type committed struct {
	db     *DB
	prefix []byte
}

func (c *committed) Store(name string) (Store, error) {
	prefix, err := storePrefix(c.prefix, name)
	if err != nil {
		return nil, err
	}
	return &diskStore{prefix: prefix, reader: func() pebble.Reader { return c.db.pebble }}, nil
}

func storePrefix(task []byte, name string) ([]byte, error) {
	if name == "" || strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("opening store %q: a store's name has no zero byte and is not empty", name)
	}
	p := make([]byte, 0, len(task)+len(name)+1)
	return append(append(append(p, task...), name...), 0), nil
}

// TaskState is the state of one running task: what it has committed and what it
// has written since.
type TaskState struct {
	db     *DB
	prefix []byte
	batch  *pebble.Batch
	stores map[string]Store
}

// Task opens the state of a task. At most one TaskState per task may be in use.
func (db *DB) Task(id TaskID) *TaskState {
	return &TaskState{db: db, prefix: id.prefix(), batch: db.pebble.NewIndexedBatch(), stores: map[string]Store{}}
}

// Store implements Stores.
func (t *TaskState) Store(name string) (Store, error) {
	if s, ok := t.stores[name]; ok {
		return s, nil
	}
	prefix, err := storePrefix(t.prefix, name)
	if err != nil {
		return nil, err
	}
	s := &diskStore{
		prefix: prefix,
		reader: func() pebble.Reader { return t.batch },
		writer: func() *pebble.Batch { return t.batch },
	}
	t.stores[name] = s
	return s, nil
}

// Commit makes everything written since the last commit durable, together with
// the commit record.
func (t *TaskState) Commit(c *Commit) error {
	if err := t.batch.Set(append(t.prefix[:len(t.prefix):len(t.prefix)], 0), c.append(nil), nil); err != nil {
		return fmt.Errorf("committing a task: %w", err)
	}
	if err := t.batch.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("committing a task: %w", err)
	}
	err := t.batch.Close()
	t.batch = t.db.pebble.NewIndexedBatch()
	if err != nil {
		return fmt.Errorf("committing a task: %w", err)
	}
	return nil
}

// Last gives the last commit record, or nil for a task that has none.
func (t *TaskState) Last() (*Commit, error) { return t.db.last(t.prefix) }

// LastCommit gives a task's last commit record, or nil for a task that has none.
// The task may run.
func (db *DB) LastCommit(id TaskID) (*Commit, error) { return db.last(id.prefix()) }

func (db *DB) last(prefix []byte) (*Commit, error) {
	data, closer, err := db.pebble.Get(append(prefix[:len(prefix):len(prefix)], 0))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a task's commit: %w", err)
	}
	defer closer.Close()
	return parseCommit(data)
}

// Close forgets what was written since the last commit.
func (t *TaskState) Close() error {
	if err := t.batch.Close(); err != nil {
		return fmt.Errorf("letting go of a task's state: %w", err)
	}
	return nil
}

type diskStore struct {
	prefix []byte
	buf    []byte // for the key of one call
	reader func() pebble.Reader
	writer func() *pebble.Batch
}

var errReadOnly = errors.New("this view of the state is for reading only")

// key is the whole key of a row, valid until the next call.
func (s *diskStore) key(key []byte) []byte {
	s.buf = append(append(s.buf[:0], s.prefix...), key...)
	return s.buf
}

func (s *diskStore) Get(key []byte) ([]byte, bool, error) {
	v, closer, err := s.reader().Get(s.key(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading from a store: %w", err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("reading from a store: %w", err)
	}
	return out, true, nil
}

func (s *diskStore) Put(key, value []byte) error {
	if s.writer == nil {
		return errReadOnly
	}
	if err := s.writer().Set(s.key(key), value, nil); err != nil {
		return fmt.Errorf("writing to a store: %w", err)
	}
	return nil
}

func (s *diskStore) Delete(key []byte) error {
	if s.writer == nil {
		return errReadOnly
	}
	if err := s.writer().Delete(s.key(key), nil); err != nil {
		return fmt.Errorf("deleting from a store: %w", err)
	}
	return nil
}

func (s *diskStore) iter(from, to []byte) (*pebble.Iterator, error) {
	upper := append([]byte(nil), s.prefix...)
	upper[len(upper)-1] = 1
	if to != nil {
		upper = append(upper[:0], s.key(to)...)
	}
	iter, err := s.reader().NewIter(&pebble.IterOptions{LowerBound: append([]byte(nil), s.key(from)...), UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("scanning a store: %w", err)
	}
	return iter, nil
}

func (s *diskStore) Scan(from, to []byte, visit func(key, value []byte) bool) error {
	iter, err := s.iter(from, to)
	if err != nil {
		return err
	}
	for ok := iter.First(); ok && visit(iter.Key()[len(s.prefix):], iter.Value()); ok = iter.Next() {
	}
	if err := iter.Close(); err != nil {
		return fmt.Errorf("scanning a store: %w", err)
	}
	return nil
}

func (s *diskStore) ScanDescending(from, to []byte, visit func(key, value []byte) bool) error {
	iter, err := s.iter(from, to)
	if err != nil {
		return err
	}
	for ok := iter.Last(); ok && visit(iter.Key()[len(s.prefix):], iter.Value()); ok = iter.Prev() {
	}
	if err := iter.Close(); err != nil {
		return fmt.Errorf("scanning a store: %w", err)
	}
	return nil
}

// pebbleLogger passes on what pebble reports as wrong; its chatter about
// compactions is not of interest.
type pebbleLogger struct{ log *slog.Logger }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	if l.log != nil {
		l.log.Error("state store", "error", fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	os.Exit(1)
}

package search

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orderflow/orderflow/internal/embedded/unsynced"
)

// storeFormat is the version of what the database holds.
const storeFormat = "1"

// The first byte of a key says what it is of.
const (
	keyFormat    = 'v' // the version of the format
	keyCluster   = 'c' // the cluster's uuid
	keyNode      = 'n' // the node's id
	keyNumber    = 'x' // the number that the next index gets
	keyIndex     = 'i' // + name: an index's definition
	keyTemplate  = 't' // + kind + name: a template
	keyDocument  = 'd' // + number + id: a document's record
	keyChange    = 'q' // + number + sequence number: the id that changed
	keyCounters  = 's' // + number: counters of an index
	keySettings  = 'p' // persistent cluster settings
	numberLength = 4
)

// store is the database. Its methods may be called from any goroutine.
type store struct {
	db    *pebble.DB
	cache *pebble.Cache
	dir   string // of the scorch indexes, empty for those in memory
}

// pebbleLogger passes on what needs attention.
type pebbleLogger struct{ log *slog.Logger }

// walRead begins what pebble says when it has read a log up to its end, or up to
// where the end is torn off.
const walRead = "stopped reading at offset"

func (l pebbleLogger) Infof(format string, a ...any) {
	if strings.Contains(format, walRead) {
		l.log.Info("search store: read the log of the last run; what lies behind the offset was not written to its end and is dropped: " + fmt.Sprintf(format, a...))
	}
}

func (l pebbleLogger) Errorf(format string, a ...any) {
	l.log.Error("search store: " + fmt.Sprintf(format, a...))
}
func (l pebbleLogger) Fatalf(format string, a ...any) {
	// pebble calls this when the database can't go on; what was acknowledged is on
	// disk, so ending the process is the safe way out.
	l.log.Error("search store: " + fmt.Sprintf(format, a...))
	os.Exit(1)
}

func openStore(cfg Config) (*store, error) {
	fs, dir := cfg.FS, ""
	path := "store"
	if cfg.DataDir == "" {
		fs = vfs.NewMem()
	} else {
		if fs == nil {
			fs = vfs.Default
		}
		if !cfg.Sync {
			fs = unsynced.Over(fs)
		}
		path, dir = filepath.Join(cfg.DataDir, "store"), filepath.Join(cfg.DataDir, "indices")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("creating the search data directory; check its permissions: %w", err)
		}
	}
	cache := pebble.NewCache(cacheBytes)
	options := &pebble.Options{
		FS: fs, Cache: cache, Logger: pebbleLogger{cfg.Logger},
		MemTableSize: memTableBytes, MaxOpenFiles: 200,
		FormatMajorVersion: pebble.FormatNewest,
		// Most look-ups are for ids that don't exist yet.
		Levels: [7]pebble.LevelOptions{{FilterPolicy: bloom.FilterPolicy(10), BlockSize: blockBytes, IndexBlockSize: indexBlockBytes}},
	}
	options.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	db, err := pebble.Open(path, options)
	if err != nil {
		cache.Unref()
		return nil, fmt.Errorf("opening the search store %s: %w", path, err)
	}
	s := &store{db: db, cache: cache, dir: dir}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

const (
	// cacheBytes is for blocks and for the memory tables, of which there may be two.
	cacheBytes    = 20 << 20
	memTableBytes = 4 << 20
	// blockBytes is what is read and compressed at once, indexBlockBytes up to where
	// a table's index is one block.
	blockBytes      = 16 << 10
	indexBlockBytes = 256 << 10
)

func (s *store) checkFormat() error {
	found, err := s.get([]byte{keyFormat})
	switch {
	case err != nil:
		return fmt.Errorf("reading the search store: %w", err)
	case found == nil:
		return s.db.Set([]byte{keyFormat}, []byte(storeFormat), pebble.Sync)
	case string(found) != storeFormat:
		return fmt.Errorf("opening the search store: its format is version %s, this program knows %s; use the program that wrote it or another data directory", found, storeFormat)
	}
	return nil
}

func (s *store) close() error {
	err := s.db.Close()
	s.cache.Unref()
	return err
}

// get gives a copy of a value, nil when there is none.
func (s *store) get(key []byte) ([]byte, error) { return valueIn(s.db, key) }

// scan calls f with every pair whose key begins with a prefix, from a key on,
// until f says stop. Key and value are f's for the call alone.
func (s *store) scan(prefix, from []byte, f func(key, value []byte) (more bool, err error)) error {
	return scanIn(s.db, prefix, from, f)
}

func scanIn(db pebble.Reader, prefix, from []byte, f func(key, value []byte) (more bool, err error)) (err error) {
	if from == nil {
		from = prefix
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		more, err := f(it.Key(), it.Value())
		if err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// prefixEnd is the first key after all that begin with a prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

func numberedKey(kind byte, number uint32, rest ...byte) []byte {
	key := make([]byte, 0, 1+numberLength+len(rest))
	key = append(key, kind)
	key = binary.BigEndian.AppendUint32(key, number)
	return append(key, rest...)
}

func documentKey(number uint32, id string) []byte {
	return numberedKey(keyDocument, number, []byte(id)...)
}

func changeKey(number uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(numberedKey(keyChange, number), seq)
}

func namedKey(kind byte, name string) []byte { return append([]byte{kind}, name...) }

// stableID gives an id that was made up when it was first asked for.
func (s *store) stableID(key byte) (string, error) {
	found, err := s.get([]byte{key})
	if err != nil || found != nil {
		return string(found), err
	}
	id := randomID(16)
	return id, s.db.Set([]byte{key}, []byte(id), pebble.Sync)
}

// nextNumber gives a number that no index had before.
func (s *store) nextNumber() (uint32, error) {
	found, err := s.get([]byte{keyNumber})
	if err != nil {
		return 0, err
	}
	n := uint32(1)
	if len(found) == numberLength {
		n = binary.BigEndian.Uint32(found)
	}
	return n, s.db.Set([]byte{keyNumber}, binary.BigEndian.AppendUint32(nil, n+1), pebble.Sync)
}

// document reads a record, nil when the database has none of that id.
func (s *store) document(number uint32, id string) (*record, error) {
	return documentIn(s.db, number, id)
}

// valueIn gives a copy of a value of a state of the database, nil when there is
// none.
func valueIn(db pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

func documentIn(db pebble.Reader, number uint32, id string) (*record, error) {
	raw, err := valueIn(db, documentKey(number, id))
	if err != nil || raw == nil {
		return nil, err
	}
	return decodeRecord(raw)
}

// changes lists ids that changed after a sequence number, at most limit of them
// or until ctx ends, with the sequence number that the list reaches.
func changes(ctx context.Context, db pebble.Reader, number uint32, after uint64, limit int) (ids []string, reached uint64, err error) {
	reached = after
	seen := map[string]bool{}
	prefix := numberedKey(keyChange, number)
	err = scanIn(db, prefix, changeKey(number, after+1), func(key, value []byte) (bool, error) {
		reached = binary.BigEndian.Uint64(key[len(prefix):])
		if id := string(value); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
		return len(ids) < limit && ctx.Err() == nil, nil
	})
	return ids, reached, err
}

// drop removes all that the database has of an index's documents.
func (s *store) drop(b *pebble.Batch, number uint32) error {
	for _, kind := range []byte{keyDocument, keyChange, keyCounters} {
		prefix := numberedKey(kind, number)
		if err := b.DeleteRange(prefix, prefixEnd(prefix), nil); err != nil {
			return err
		}
	}
	return nil
}

// randomID makes an id of n random bytes, in the alphabet of URLs.
func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

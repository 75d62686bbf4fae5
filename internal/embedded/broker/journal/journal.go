// Package journal keeps a map of keys to values in one append-only file: what
// the broker has to remember beside records (topics, settings, committed
// offsets). Everything is in memory, too; values are meant to be small.
//
// The file is a header (8 bytes: "OFJR", version) and frames: length of the body
// (4 bytes, big endian), its CRC-32C (4), body. A body is a list of changes that
// apply together: 1 (put) or 2 (delete), key, for a put the value; key and value
// with their lengths as unsigned varints before them.
//
// Invariants: a change that was reported as done is there after a kill -9, with
// Config.Sync after a power failure, too; a change that failed leaves nothing
// behind; of a torn write at the end nothing is kept, and a damaged frame doesn't
// hide those behind it.
package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

const (
	version    = 1
	headerSize = 8
	frameHead  = 8
	maxBody    = 64 << 20 // of changes that apply together

	opPut    = 1
	opDelete = 2

	// rewriteAt is the size from which on a file of mostly outdated changes is
	// written anew.
	rewriteAt = 1 << 20
)

// ErrTooLarge is the error of changes that are too large to be made together.
var ErrTooLarge = fmt.Errorf("the changes take more than %d bytes", maxBody)

var (
	magic      = []byte("OFJR")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Config says where a journal is.
type Config struct {
	FS   disk.FS
	Path string
	// Sync writes every change through to the disk.
	Sync bool
	// Logger gets what was repaired.
	Logger *slog.Logger
}

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	file   disk.File
	values map[string][]byte
	size   int64 // of the file's sound part
	live   int64 // bytes that the values would take in a file of their own
	dirty  bool  // there may be something behind size
	// unnamed says that the machine's end may bring the file back that was there before a
	// rewrite.
	unnamed bool
}

// Change is one change of a journal. A nil Value deletes the key.
type Change struct {
	Key   string
	Value []byte
}

// Open reads a journal, which is made when it doesn't exist, and repairs what a
// crash left behind.
func Open(cfg Config) (*Journal, error) {
	j := &Journal{cfg: cfg, values: map[string][]byte{}}
	if err := j.open(); err != nil {
		if j.file != nil {
			err = errors.Join(err, j.file.Close())
		}
		return nil, fmt.Errorf("opening %s: %w", cfg.Path, err)
	}
	return j, nil
}

func (j *Journal) open() error {
	raw, err := disk.ReadFile(j.cfg.FS, j.cfg.Path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if j.file, err = j.cfg.FS.Open(j.cfg.Path, true); err != nil {
		return err
	}
	if err := j.load(raw); err != nil || !j.cfg.Sync {
		return err
	}
	// What is known now must stay known, also if the process that wrote it had no time
	// to sync it.
	if err := j.file.Sync(); err != nil {
		return err
	}
	return j.cfg.FS.SyncDir(filepath.Dir(j.cfg.Path))
}

// load takes over the content of the file.
func (j *Journal) load(raw []byte) error {
	header := binary.BigEndian.AppendUint32(slices.Clone(magic), version)
	begin := raw[:min(len(raw), headerSize)]
	if written := bytes.TrimRight(begin, "\x00"); bytes.HasPrefix(header, written) && !bytes.Equal(begin, header) {
		// The file is new, or what it begins with didn't get to the disk whole.
		if _, err := j.file.WriteAt(header, 0); err != nil {
			return err
		}
		return j.replay(append(header, raw[len(begin):]...))
	}
	if !bytes.HasPrefix(raw, magic) || len(raw) < headerSize {
		return fmt.Errorf("it is not one of this broker's files: it begins with %q", begin)
	}
	if v := binary.BigEndian.Uint32(raw[len(magic):]); v != version {
		return fmt.Errorf("it has format version %d, this program knows %d; use the version of the program that wrote it", v, version)
	}
	return j.replay(raw)
}

func (j *Journal) replay(raw []byte) error {
	at, sound := headerSize, headerSize
	for at < len(raw) {
		body := frameAt(raw[at:])
		if body == nil {
			at++
			continue
		}
		changes, err := parse(body)
		if err != nil {
			return fmt.Errorf("reading the entry at byte %d: %w", at, err)
		}
		if at > sound {
			j.cfg.Logger.Error("broker: part of a file is damaged; what it said is lost, what follows is kept. Look after the disk",
				"file", j.cfg.Path, "from_byte", sound, "to_byte", at)
		}
		j.apply(changes)
		at += frameHead + len(body)
		sound = at
	}
	j.size = int64(sound)
	if sound == len(raw) {
		return nil
	}
	j.cfg.Logger.Warn("broker: dropping the end of a file, a write that a crash cut off before it was acknowledged",
		"file", j.cfg.Path, "bytes", len(raw)-sound)
	return j.file.Truncate(j.size)
}

// frameAt gives the body of the frame that raw begins with, nil when there is no
// sound one.
func frameAt(raw []byte) []byte {
	if len(raw) < frameHead {
		return nil
	}
	length := int64(binary.BigEndian.Uint32(raw))
	if length == 0 || length > maxBody || length > int64(len(raw)-frameHead) {
		return nil
	}
	body := raw[frameHead : frameHead+length]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(raw[4:]) {
		return nil
	}
	return body
}

var errBody = errors.New("its checksum is right, but it can't be read")

func parse(body []byte) ([]Change, error) {
	var changes []Change
	for len(body) > 0 {
		op := body[0]
		key, rest, ok := cut(body[1:])
		if !ok || (op != opPut && op != opDelete) {
			return nil, errBody
		}
		c := Change{Key: string(key)}
		if op == opPut {
			var value []byte
			if value, rest, ok = cut(rest); !ok {
				return nil, errBody
			}
			c.Value = append(make([]byte, 0, len(value)), value...)
		}
		changes = append(changes, c)
		body = rest
	}
	return changes, nil
}

func cut(raw []byte) (field, rest []byte, ok bool) {
	length, n := binary.Uvarint(raw)
	if n <= 0 || length > uint64(len(raw)-n) {
		return nil, nil, false
	}
	return raw[n : n+int(length)], raw[n+int(length):], true
}

// frame appends the frame of some changes to dst.
func frame(dst []byte, changes []Change) []byte {
	begin := len(dst)
	dst = append(dst, make([]byte, frameHead)...)
	for _, c := range changes {
		op := byte(opPut)
		if c.Value == nil {
			op = opDelete
		}
		dst = append(dst, op)
		dst = binary.AppendUvarint(dst, uint64(len(c.Key)))
		dst = append(dst, c.Key...)
		if c.Value != nil {
			dst = binary.AppendUvarint(dst, uint64(len(c.Value)))
			dst = append(dst, c.Value...)
		}
	}
	body := dst[begin+frameHead:]
	binary.BigEndian.PutUint32(dst[begin:], uint32(len(body)))
	binary.BigEndian.PutUint32(dst[begin+4:], crc32.Checksum(body, castagnoli))
	return dst
}

func (j *Journal) apply(changes []Change) {
	for _, c := range changes {
		if old, ok := j.values[c.Key]; ok {
			j.live -= cost(c.Key, old)
		}
		if c.Value == nil {
			delete(j.values, c.Key)
			continue
		}
		j.values[c.Key] = c.Value
		j.live += cost(c.Key, c.Value)
	}
}

// cost is about how many bytes a value takes in the file.
func cost(key string, value []byte) int64 { return int64(frameHead + 8 + len(key) + len(value)) }

// Apply makes changes, all or, when there is an error, none. The values are the
// journal's from then on.
func (j *Journal) Apply(changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	raw := frame(nil, changes)
	if len(raw)-frameHead > maxBody {
		return fmt.Errorf("writing %s: %w", j.cfg.Path, ErrTooLarge)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(raw); err != nil {
		return fmt.Errorf("writing %s: %w", j.cfg.Path, err)
	}
	j.apply(changes)
	if j.size > rewriteAt && j.size > 4*j.live {
		if err := j.rewrite(); err != nil {
			// What is there is sound, only longer than need be.
			j.cfg.Logger.Warn("broker: a file that is mostly outdated could not be written anew; it is tried again", "file", j.cfg.Path, "error", err)
		}
	}
	return nil
}

func (j *Journal) write(raw []byte) error {
	if j.dirty {
		if err := j.file.Truncate(j.size); err != nil {
			return err
		}
		j.dirty = false
	}
	if j.unnamed && j.cfg.Sync {
		if err := j.syncName(); err != nil {
			return err
		}
	}
	_, err := j.file.WriteAt(raw, j.size)
	if err == nil && j.cfg.Sync {
		err = j.file.Sync()
	}
	if err != nil {
		j.dirty = j.file.Truncate(j.size) != nil
		return err
	}
	j.size += int64(len(raw))
	return nil
}

// rewrite replaces the file by one that has the current values only.
func (j *Journal) rewrite() error {
	raw := binary.BigEndian.AppendUint32(slices.Clone(magic), version)
	for key, value := range j.values {
		raw = frame(raw, []Change{{Key: key, Value: value}})
	}
	tmp := j.cfg.Path + ".tmp"
	file, err := j.cfg.FS.Open(tmp, true)
	if err != nil {
		return err
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt(raw, 0)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = j.cfg.FS.Rename(tmp, j.cfg.Path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), j.cfg.FS.Remove(tmp))
	}
	old := j.file
	j.file, j.size, j.dirty, j.unnamed = file, int64(len(raw)), false, true
	return errors.Join(old.Close(), j.syncName())
}

// syncName has the file's name survive the machine's end.
func (j *Journal) syncName() error {
	if err := j.cfg.FS.SyncDir(filepath.Dir(j.cfg.Path)); err != nil {
		return err
	}
	j.unnamed = false
	return nil
}

// Get gives the value of a key, nil when there is none.
func (j *Journal) Get(key string) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.values[key]
}

// All gives the keys that begin with prefix, in order, and their values.
func (j *Journal) All(prefix string) iter.Seq2[string, []byte] {
	j.mu.Lock()
	values := maps.Clone(j.values)
	j.mu.Unlock()
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if strings.HasPrefix(key, prefix) && !yield(key, values[key]) {
				return
			}
		}
	}
}

// Close closes the file. Nothing may be changed afterwards.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.file.Sync(), j.file.Close())
}

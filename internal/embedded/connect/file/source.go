package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const (
	// pollPause is the pause before the next look at a file that has nothing new.
	pollPause = 100 * time.Millisecond
	// missingPause is the pause before the next look for a file that is not there.
	missingPause = time.Second
	readSize     = 64 << 10
	// maxLine bounds what is kept of a line that does not end.
	maxLine = 64 << 20
)

// sourceTask reads a file's lines.
type sourceTask struct {
	env     plugin.Environment
	offsets plugin.OffsetReader
	path    string
	topic   string
	batch   int

	file     *os.File // nil until the file is there
	position int64    // of the first byte of pending
	pending  []byte   // read, but no line yet
	searched int      // this much of pending has no end of a line
	warned   bool     // that the file is missing
}

// Start reads the settings; the file is opened by Poll.
func (t *sourceTask) Start(_ context.Context, env plugin.Environment, settings map[string]string, offsets plugin.OffsetReader) error {
	s := config.NewSettings(sourceDefinition, settings)
	t.env, t.offsets = env, offsets
	t.path, t.topic, t.batch = s.Text(fileSetting), s.Text(topicSetting), int(s.Number(batchSizeSetting))
	return allowed(env, t.path)
}

// partition is what the offsets are of.
func (t *sourceTask) partition() map[string]any { return map[string]any{filenameField: t.path} }

// Poll gives the next lines. It waits a moment when there are none.
func (t *sourceTask) Poll(ctx context.Context) ([]*plugin.Record, error) {
	if t.file == nil {
		if found, err := t.open(); err != nil || !found {
			if err == nil {
				_ = t.env.Clock.Sleep(ctx, missingPause) // the next poll sees that ctx ended
			}
			return nil, err
		}
	}
	records := t.lines(nil)
	for len(records) < t.batch {
		n, err := t.read()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		records = t.lines(records)
	}
	if len(records) == 0 {
		_ = t.env.Clock.Sleep(ctx, pollPause) // the next poll sees that ctx ended
	}
	return records, nil
}

// open opens the file where reading goes on, and tells whether it is there.
func (t *sourceTask) open() (bool, error) {
	var from int64
	if stored := t.offsets(t.partition()); stored != nil {
		position, ok := stored[positionField].(int64)
		if !ok && stored[positionField] != nil {
			return false, fault.New(fault.Connect, "Offset position is the incorrect type")
		}
		from = position
	}
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		if !t.warned {
			t.env.Log.Warn("connect: the file to read is not there, looking for it again and again", "connector", t.env.Name, "file", t.path)
			t.warned = true
		}
		return false, nil
	}
	if err != nil {
		return false, unreadable(t.path, err)
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return false, errors.Join(unreadable(t.path, err), f.Close())
	}
	t.file, t.position = f, from
	return true, nil
}

// unreadable is why a file can't be used, in the real worker's words.
func unreadable(path string, err error) error {
	cause := fileFault(path, err)
	return fault.Wrap(fault.Connect, cause, "%s: %s", cause.Class, cause.Message)
}

// fileFault is Java's error for one of the file system.
func fileFault(path string, err error) *fault.Fault {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.New("java.nio.file.AccessDeniedException", "%s", path)
	case errors.Is(err, fs.ErrNotExist):
		return fault.New("java.nio.file.NoSuchFileException", "%s", path)
	default:
		return fault.New(fault.IO, "%s", err)
	}
}

// read reads more of the file and tells how much there was.
func (t *sourceTask) read() (int, error) {
	if len(t.pending) >= maxLine {
		return 0, fault.New(fault.Connect, "a line of %s at position %d has more than %d bytes", t.path, t.position, maxLine)
	}
	used := len(t.pending)
	t.pending = append(t.pending, make([]byte, readSize)...)
	n, err := t.file.Read(t.pending[used:])
	t.pending = t.pending[:used+n]
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, unreadable(t.path, err)
	}
	return n, nil
}

// lines adds the lines that have been read.
func (t *sourceTask) lines(records []*plugin.Record) []*plugin.Record {
	for len(records) < t.batch {
		line, size := t.line()
		if size == 0 {
			break
		}
		t.position += int64(size)
		t.pending, t.searched = t.pending[size:], 0
		now := t.env.Clock.Now().UnixMilli()
		records = append(records, &plugin.Record{
			Topic: t.topic, ValueSchema: data.Of(data.String), Value: text(line), Timestamp: &now,
			SourcePartition: t.partition(), SourceOffset: map[string]any{positionField: t.position},
		})
	}
	return records
}

// line gives the first line, and its size with what ends it: 0 while it has no end.
// A carriage return ends a line too, but what follows has to be known.
func (t *sourceTask) line() ([]byte, int) {
	i := bytes.IndexAny(t.pending[t.searched:], "\r\n")
	if i < 0 {
		t.searched = len(t.pending)
		return nil, 0
	}
	i += t.searched
	if t.pending[i] == '\n' {
		return t.pending[:i], i + 1
	}
	if i+1 == len(t.pending) {
		t.searched = i
		return nil, 0
	}
	if t.pending[i+1] == '\n' {
		return t.pending[:i], i + 2
	}
	return t.pending[:i], i + 1
}

// text reads UTF-8; a byte that is none becomes the replacement character.
func text(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	return string([]rune(string(line)))
}

// Close closes the file.
func (t *sourceTask) Close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}

package journal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk/disktest"
	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
)

const path = "data/journal"

func open(t testing.TB, fs disk.FS, logs *bytes.Buffer) *journal.Journal {
	t.Helper()
	require.NoError(t, fs.MkdirAll("data"))
	j, err := journal.Open(journal.Config{FS: fs, Path: path, Logger: slog.New(slog.NewTextHandler(logs, nil))})
	require.NoError(t, err)
	return j
}

func put(key, value string) journal.Change { return journal.Change{Key: key, Value: []byte(value)} }

func content(j *journal.Journal) map[string]string {
	m := map[string]string{}
	for k, v := range j.All("") {
		m[k] = string(v)
	}
	return m
}

func TestChangesAreThereAgain(t *testing.T) {
	fs, logs := disk.NewMemory(), &bytes.Buffer{}
	j := open(t, fs, logs)
	require.NoError(t, j.Apply(put("a", "1"), put("b", "2")))
	require.NoError(t, j.Apply(put("a", "3"), journal.Change{Key: "b"}, put("c", "")))
	want := map[string]string{"a": "3", "c": ""}
	assert.Equal(t, want, content(j))
	assert.Equal(t, want, content(open(t, fs, logs)))
	assert.Empty(t, logs.String())
}

func TestTornAndDamagedFrames(t *testing.T) {
	fs := disk.NewMemory()
	j := open(t, fs, &bytes.Buffer{})
	want := map[string]string{}
	for i := range 10 {
		key := fmt.Sprint("key", i)
		require.NoError(t, j.Apply(put(key, "value"), put(key+"x", "value")))
		want[key], want[key+"x"] = "value", "value"
	}
	sound, err := disk.ReadFile(fs, path)
	require.NoError(t, err)
	one := (len(sound) - 8) / 10
	for cut := 1; cut < one; cut++ {
		logs := &bytes.Buffer{}
		require.NoError(t, disk.WriteFile(fs, path, sound[:len(sound)-cut], false))
		j := open(t, fs, logs)
		less := maps.Clone(want)
		delete(less, "key9")
		delete(less, "key9x")
		require.Equal(t, less, content(j), "changes apply together or not at all")
		require.Contains(t, logs.String(), "crash cut off")
		require.NoError(t, j.Apply(put("more", "1")))
		less["more"] = "1"
		require.Equal(t, less, content(open(t, fs, logs)))
	}
	for at := 8 + 4*one; at < 8+5*one; at++ {
		logs := &bytes.Buffer{}
		broken := bytes.Clone(sound)
		broken[at] ^= 0x40
		require.NoError(t, disk.WriteFile(fs, path, broken, false))
		less := maps.Clone(want)
		delete(less, "key4")
		delete(less, "key4x")
		require.Equal(t, less, content(open(t, fs, logs)), "byte %d", at)
		require.Contains(t, logs.String(), "damaged")
	}
}

func TestForeignFiles(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"another file":    {"something else", "not one of this broker's"},
		"a short one":     {"so", "not one of this broker's"},
		"another version": {"OFJR\x00\x00\x00\x09", "version 9"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disk.NewMemory()
			require.NoError(t, fs.MkdirAll("data"))
			require.NoError(t, disk.WriteFile(fs, path, []byte(c.content), false))
			_, err := journal.Open(journal.Config{FS: fs, Path: path, Logger: slog.New(slog.DiscardHandler)})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
}

// The end of the machine can leave a new file's length without its content.
func TestABeginningThatDidNotGetToTheDisk(t *testing.T) {
	for _, begin := range []string{"", "OF", "\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00", "OFJ\x00\x00\x00\x00\x00", "OFJR\x00\x00\x00\x00"} {
		fs, logs := disk.NewMemory(), &bytes.Buffer{}
		require.NoError(t, fs.MkdirAll("data"))
		require.NoError(t, disk.WriteFile(fs, path, []byte(begin), false))
		j := open(t, fs, logs)
		require.Empty(t, content(j), "%q", begin)
		require.NoError(t, j.Apply(put("a", "1")))
		require.Equal(t, map[string]string{"a": "1"}, content(open(t, fs, logs)), "%q", begin)
	}
}

func TestFullDisk(t *testing.T) {
	faulty := &disktest.Faulty{FS: disk.NewMemory()}
	logs := &bytes.Buffer{}
	j := open(t, faulty, logs)
	require.NoError(t, j.Apply(put("a", "1")))
	for left := range int64(20) {
		faulty.Limit(left)
		require.Error(t, j.Apply(put("a", "a longer value than fits")))
		require.Equal(t, map[string]string{"a": "1"}, content(j))
		require.Equal(t, map[string]string{"a": "1"}, content(open(t, faulty, logs)))
	}
	faulty.Limit(-1)
	require.NoError(t, j.Apply(put("a", "2")))
	require.Equal(t, map[string]string{"a": "2"}, content(open(t, faulty, logs)))
	assert.Empty(t, logs.String())
}

func TestOutdatedFileIsWrittenAnew(t *testing.T) {
	fs, logs := disk.NewMemory(), &bytes.Buffer{}
	j := open(t, fs, logs)
	require.NoError(t, j.Apply(put("kept", "1")))
	for i := range 100_000 {
		require.NoError(t, j.Apply(put("offset", fmt.Sprint(i, " padding padding padding"))))
	}
	raw, err := disk.ReadFile(fs, path)
	require.NoError(t, err)
	assert.Less(t, len(raw), 2<<20)
	assert.Equal(t, map[string]string{"kept": "1", "offset": "99999 padding padding padding"}, content(open(t, fs, logs)))
	assert.Empty(t, logs.String())
}

func FuzzOpen(f *testing.F) {
	fs := disk.NewMemory()
	j := open(f, fs, &bytes.Buffer{})
	require.NoError(f, j.Apply(put("a", "1"), journal.Change{Key: "b"}))
	raw, err := disk.ReadFile(fs, path)
	require.NoError(f, err)
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Fuzz(func(t *testing.T, raw []byte) {
		fs := disk.NewMemory()
		require.NoError(t, fs.MkdirAll("data"))
		require.NoError(t, disk.WriteFile(fs, path, raw, false))
		j, err := journal.Open(journal.Config{FS: fs, Path: path, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return
		}
		require.NoError(t, j.Apply(put("new", "1")))
		want := content(j)
		require.Equal(t, want, content(open(t, fs, &bytes.Buffer{})))
	})
}

func TestWhatIsTooLargeToBeReadAgainIsRefused(t *testing.T) {
	fs, logs := disk.NewMemory(), &bytes.Buffer{}
	j := open(t, fs, logs)
	require.ErrorIs(t, j.Apply(journal.Change{Key: "k", Value: make([]byte, 65<<20)}), journal.ErrTooLarge)
	assert.Nil(t, j.Get("k"))
	require.NoError(t, j.Apply(put("k", "v")))
	assert.Equal(t, map[string]string{"k": "v"}, content(open(t, fs, logs)))
	assert.Empty(t, logs.String())
}

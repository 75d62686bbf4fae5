package diskfull_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/diskfull"
)

// limited is a file system with room for so many more bytes; files are only made
// while there is some.
type limited struct {
	vfs.FS
	room atomic.Int64
}

func (fs *limited) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.room.Load() <= 0 {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	f, err := fs.FS.Create(name, category)
	return limitedFile{f, fs, name}, err
}

func (fs *limited) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Remove(oldname); err != nil {
		return nil, err
	}
	return fs.Create(newname, category)
}

type limitedFile struct {
	vfs.File
	fs   *limited
	name string
}

func (f limitedFile) Write(p []byte) (int, error) {
	room := max(0, min(int64(len(p)), f.fs.room.Add(-int64(len(p)))+int64(len(p))))
	n, err := f.File.Write(p[:room])
	if err == nil && n < len(p) {
		err = &os.PathError{Op: "write", Path: f.name, Err: syscall.EDQUOT}
	}
	return n, err
}

const aPause = time.Second

func TestAWriteGoesOnWhereTheDiskWasFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &limited{FS: vfs.NewMem()}
		under.room.Store(5)
		var log bytes.Buffer
		fs := diskfull.New(diskfull.Config{FS: under, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		f, err := fs.Create("f", vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		done := make(chan error, 1)
		write := func() {
			n, err := f.Write([]byte("0123456789"))
			assert.Equal(t, 10, n)
			done <- err
		}
		go write()
		time.Sleep(aPause)
		require.Empty(t, done)
		require.ErrorIs(t, fs.Err(), syscall.EDQUOT)
		require.ErrorContains(t, fs.Err(), "the disk is full")
		under.room.Store(2)
		time.Sleep(aPause)
		require.Empty(t, done)
		under.room.Store(100)
		time.Sleep(aPause)
		require.NoError(t, <-done)
		require.NoError(t, fs.Err())
		require.NoError(t, f.Close())

		got, err := under.Open("f")
		require.NoError(t, err)
		content, err := io.ReadAll(got)
		require.NoError(t, err)
		assert.Equal(t, "0123456789", string(content))
		assert.Equal(t, 1, strings.Count(log.String(), "the disk is full"), "one line however long it takes")
		assert.Equal(t, 1, strings.Count(log.String(), "there is disk space again"))
	})
}

func TestNobodyWaitsForSpaceAtAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &limited{FS: vfs.NewMem()}
		fs := diskfull.New(diskfull.Config{FS: under})
		done := make(chan error)
		go func() {
			_, err := fs.Create("f", vfs.WriteCategoryUnspecified)
			done <- err
		}()
		synctest.Wait()
		require.Error(t, fs.Err())
		fs.GiveUp()
		fs.GiveUp()
		require.ErrorIs(t, <-done, syscall.ENOSPC)
		_, err := fs.Create("g", vfs.WriteCategoryUnspecified)
		require.ErrorIs(t, err, syscall.ENOSPC, "nor afterwards")
		require.NoError(t, fs.Err())
	})
}

func TestOtherErrorsAreToldAtOnce(t *testing.T) {
	fs := diskfull.New(diskfull.Config{FS: vfs.NewMem()})
	require.ErrorIs(t, fs.Rename("none", "other"), os.ErrNotExist)
	require.NoError(t, fs.Err())
}

// deadly ends the test where a database would end the process.
type deadly struct{}

func (deadly) Infof(string, ...any)              {}
func (deadly) Errorf(string, ...any)             {}
func (deadly) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A database runs full at every kind of write that it does, goes on each time, and
// has everything that was committed.
func TestADatabaseOutlivesFullDisks(t *testing.T) {
	under := &limited{FS: vfs.NewMem()}
	under.room.Store(1 << 20)
	fs := diskfull.New(diskfull.Config{FS: under, Interval: time.Microsecond})
	options := &pebble.Options{FS: fs, Logger: deadly{}, MemTableSize: 64 << 10, FormatMajorVersion: pebble.FormatNewest}
	db, err := pebble.Open("db", options)
	require.NoError(t, err)

	const commits = 2000
	value := bytes.Repeat([]byte("v"), 500)
	written := make(chan error, 1)
	under.room.Store(0)
	go func() {
		var errs error
		for i := range commits {
			errs = errors.Join(errs, db.Set(fmt.Appendf(nil, "%05d", i), value, pebble.Sync))
		}
		written <- errors.Join(errs, db.Flush(), db.Compact(t.Context(), nil, []byte("z"), false))
	}()
	fulls := 0
	for step, ended := int64(1), false; !ended; step++ {
		require.Eventually(t, func() bool {
			select {
			case err := <-written:
				require.NoError(t, err)
				ended = true
			default:
			}
			return ended || fs.Err() != nil
		}, 10*time.Second, 50*time.Microsecond)
		fulls++
		under.room.Store(step % 97 * 101)
	}
	t.Logf("the disk was full %d times", fulls)
	assert.Greater(t, fulls, 100)
	under.room.Store(1 << 30)
	require.NoError(t, db.Close())

	db, err = pebble.Open("db", options)
	require.NoError(t, err)
	for i := range commits {
		_, closer, err := db.Get(fmt.Appendf(nil, "%05d", i))
		require.NoError(t, err, i)
		require.NoError(t, closer.Close())
	}
	require.NoError(t, db.Close())
}

package torn_test

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/simulation/torn"
)

func write(t *testing.T, fs disk.FS, name, content string, at int64) disk.File {
	t.Helper()
	f, err := fs.Open(name, true)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(content), at)
	require.NoError(t, err)
	return f
}

func content(t *testing.T, d *torn.Disk, name string) string {
	t.Helper()
	raw, err := disk.ReadFile(d.Files(), name)
	require.NoError(t, err)
	return string(raw)
}

func TestAKillCutsAtAnyByte(t *testing.T) {
	d := torn.NewDisk()
	_, err := d.Pebble().Create("/a.log", vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	write(t, d.Files(), "/a.log", "kept ", 0)
	since := d.Now()
	write(t, d.Files(), "/b", "other", 0)
	write(t, d.Files(), "/a.log", "and torn", 5)
	require.Equal(t, len("and torn"), d.Written(since, ".log"))
	for n := range len("and torn") + 1 {
		left := d.Kill(d.After(since, n, ".log"))
		require.Equal(t, "kept and torn"[:5+n], content(t, left, "a.log"))
		write(t, left.Files(), "/a.log", "!", 0)
		require.Equal(t, "kept and torn", content(t, d, "a.log"), "the disk goes on as it was")
	}
}

func TestTheEndOfTheMachineLeavesWhatIsSynced(t *testing.T) {
	d := torn.NewDisk()
	fs := d.Files()
	require.NoError(t, fs.MkdirAll("/dir"))
	require.NoError(t, fs.SyncDir("/"))
	require.NoError(t, write(t, fs, "/dir/synced", "first", 0).Sync())
	require.NoError(t, fs.SyncDir("/dir"))
	write(t, fs, "/dir/synced", "-second", 5)
	require.NoError(t, write(t, fs, "/dir/nameless", "synced", 0).Sync())
	lengths, names := map[int]bool{}, map[bool]bool{}
	for seed := range uint64(300) {
		left := d.End(d.Now(), false, seed)
		got := content(t, left, "dir/synced")
		require.Contains(t, "first-second", got)
		require.GreaterOrEqual(t, len(got), len("first"))
		lengths[len(got)] = true
		_, err := left.Files().Open("/dir/nameless", false)
		names[err == nil] = true
		require.Equal(t, got, content(t, d.End(d.Now(), false, seed), "dir/synced"), "it depends on the seed alone")
	}
	require.Len(t, lengths, len("-second")+1, "every byte")
	require.Len(t, names, 2, "a file's sync doesn't keep its name")
}

func TestAFailedSyncLosesWhatItWasFor(t *testing.T) {
	d := torn.NewDisk()
	f := write(t, d.Files(), "/a", "lost", 0)
	d.Hook(func(torn.Change) (int, error) { return 0, syscall.EIO })
	require.Error(t, f.Sync())
	d.Hook(nil)
	require.Equal(t, "lost", content(t, d, "a"), "it is shown")
	require.NoError(t, f.Sync())
	require.NoError(t, d.Files().SyncDir("/"))
	require.Equal(t, "\x00\x00\x00\x00", content(t, d.End(d.Now(), true, 1), "a"))
	require.Equal(t, "\x00\x00\x00\x00", content(t, d.Kill(d.Now()), "a"))
}

func TestSomewhereIsAnywhere(t *testing.T) {
	d := torn.NewDisk()
	since := d.Now()
	write(t, d.Files(), "/a", "abc", 0)
	seen := map[string]bool{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		left := d.Kill(d.Somewhere(since, random))
		raw, err := disk.ReadFile(left.Files(), "/a")
		if err != nil {
			raw = []byte("none")
		}
		seen[string(raw)] = true
	}
	require.Equal(t, map[string]bool{"none": true, "": true, "a": true, "ab": true, "abc": true}, seen)
}

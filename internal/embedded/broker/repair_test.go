package broker

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func logFrame(text string) []byte {
	body := append([]byte{1, 0}, text...)
	f := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	f = binary.LittleEndian.AppendUint32(f, crc32.Checksum(body, castagnoli))
	return append(f, body...)
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestRepairLog(t *testing.T) {
	a, b := logFrame(`{"a":1}`), logFrame(`{"b":2}`)
	flipped := logFrame(`{"c":3}`)
	flipped[12] ^= 1
	for name, c := range map[string]struct{ in, want []byte }{
		"sound":            {join(a, b), join(a, b)},
		"empty":            {nil, nil},
		"torn tail":        {join(a, b[:len(b)-3]), a},
		"torn length":      {join(a, b[:3]), a},
		"after a torn one": {join(a, b[:5], b), join(a, b)},
		"flipped bit":      {join(a, flipped, b), join(a, b)},
		"only rubbish":     {[]byte("rubbish that is longer than a frame's head"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "groups.log")
			require.NoError(t, os.WriteFile(path, c.in, 0o600))
			require.NoError(t, repairLog(path, slog.New(slog.DiscardHandler)))
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, append([]byte{}, c.want...), got)
		})
	}
	require.NoError(t, repairLog(filepath.Join(t.TempDir(), "none"), slog.Default()))
}

func FuzzValidFrames(f *testing.F) {
	f.Add(join(logFrame("a"), []byte{1, 2, 3}, logFrame("b")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		valid := validFrames(raw)
		assert.Equal(t, valid, validFrames(valid))
		assert.LessOrEqual(t, len(valid), len(raw))
	})
}

func TestDropSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session_state.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"shutdownAt":"2024-01-01T00:00:00Z","classicGroups":{"g":{}},"shareGroups":{"s":{}}}`), 0o600))
	require.NoError(t, dropSessions(path))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, `{"shutdownAt":"2024-01-01T00:00:00Z","shareGroups":{"s":{}}}`, string(got))

	require.NoError(t, os.WriteFile(path, []byte(`{`), 0o600))
	require.ErrorContains(t, dropSessions(path), path)
}

func TestDiskWatchRefusesAndAccepts(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	var free int64
	var failure error
	d := newDiskWatch(cluster, Config{FreeSpaceMargin: 100, FreeSpace: func(string) (int64, error) { return free, failure }}, slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		free    int64
		failure error
		refuses bool
	}{{100, nil, false}, {99, nil, true}, {98, nil, true}, {0, os.ErrPermission, true}, {100, nil, false}, {0, os.ErrPermission, false}, {0, nil, true}} {
		free, failure = step.free, step.failure
		d.check()
		assert.Equal(t, step.refuses, d.refusal != nil, "%+v", step)
	}
	d.run(diskCheckInterval)
	d.stop()
	d.stop()
}

func TestFreeSpaceIsKnownHere(t *testing.T) {
	free, err := freeSpace(t.TempDir())
	require.NoError(t, err)
	assert.Positive(t, free)
}

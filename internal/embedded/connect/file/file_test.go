package file_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/file"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// clock stands still, and does not wait.
type clock struct{ slept []time.Duration }

func (*clock) Now() time.Time { return time.UnixMilli(1700000000000) }
func (c *clock) Sleep(_ context.Context, d time.Duration) error {
	c.slept = append(c.slept, d)
	return nil
}

type line struct {
	text string
	end  int64
}

func environment() (plugin.Environment, *clock) {
	c := &clock{}
	return plugin.Environment{Name: "c", Log: slog.New(slog.DiscardHandler), Clock: c}, c
}

func start(t *testing.T, path, batch string, offset map[string]any) plugin.SourceTask {
	t.Helper()
	env, _ := environment()
	task := file.Source{}.NewSourceTask()
	settings := map[string]string{"file": path, "topic": "lines", "batch.size": batch}
	require.NoError(t, task.Start(t.Context(), env, settings, func(partition map[string]any) map[string]any {
		assert.Equal(t, map[string]any{"filename": path}, partition)
		return offset
	}))
	t.Cleanup(func() { require.NoError(t, task.Close()) })
	return task
}

func poll(t *testing.T, task plugin.SourceTask) []line {
	t.Helper()
	records, err := task.Poll(t.Context())
	require.NoError(t, err)
	var lines []line
	for _, r := range records {
		assert.Equal(t, "lines", r.Topic)
		assert.Equal(t, data.Of(data.String), r.ValueSchema)
		assert.Equal(t, int64(1700000000000), *r.Timestamp)
		lines = append(lines, line{r.Value.(string), r.SourceOffset["position"].(int64)})
	}
	return lines
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestLinesAreReadOnceTheyEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	task := start(t, path, "2000", nil)
	assert.Empty(t, poll(t, task), "the file is not there yet")
	add(t, path, "one\ntwo\r\nthr")
	assert.Equal(t, []line{{"one", 4}, {"two", 9}}, poll(t, task))
	assert.Empty(t, poll(t, task))
	add(t, path, "ee\r")
	assert.Empty(t, poll(t, task), "a line feed may follow")
	add(t, path, "\n\nä\xff\rlast\r")
	assert.Equal(t, []line{{"three", 16}, {"", 17}, {"ä\ufffd", 21}}, poll(t, task))
	add(t, path, "x\n")
	assert.Equal(t, []line{{"last", 26}, {"x", 28}}, poll(t, task))
}

func TestReadingGoesOnWhereItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	add(t, path, "one\ntwo\nthree\n")
	assert.Equal(t, []line{{"two", 8}, {"three", 14}}, poll(t, start(t, path, "2000", map[string]any{"position": int64(4)})))

	_, err := start(t, path, "2000", map[string]any{"position": "4"}).Poll(t.Context())
	require.EqualError(t, err, "Offset position is the incorrect type")
	_, err = start(t, t.TempDir(), "2000", nil).Poll(t.Context())
	require.ErrorContains(t, err, "directory")
}

func TestBatchesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	add(t, path, "a\nb\nc\nd\n")
	task := start(t, path, "3", nil)
	assert.Equal(t, []line{{"a", 2}, {"b", 4}, {"c", 6}}, poll(t, task))
	assert.Equal(t, []line{{"d", 8}}, poll(t, task))
}

func TestValuesBecomeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	env, _ := environment()
	for range 2 {
		written := 0
		env.Written = func(records ...*plugin.Record) { written += len(records) }
		task := file.Sink{}.NewSinkTask()
		require.NoError(t, task.Start(t.Context(), env, map[string]string{"file": path}))
		require.NoError(t, task.Put(t.Context(), []*plugin.Record{{Value: "a"}, {}, {Value: &data.Map{Keys: []any{"k"}, Values: []any{int64(1)}}}}))
		assert.Equal(t, 3, written)
		require.NoError(t, task.Close())
		require.NoError(t, task.Close())
	}
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "a\nnull\n{k=1}\na\nnull\n{k=1}\n", string(raw))

	err = file.Sink{}.NewSinkTask().Start(t.Context(), env, map[string]string{"file": filepath.Join(path, "x")})
	require.ErrorContains(t, err, "Couldn't find or create file")
}

func TestSettingsAndOffsetsAreChecked(t *testing.T) {
	assert.Len(t, config.Validate(file.Source{}.Definition(), "", map[string]string{"topic": ""}).Errors(), 2)
	assert.Empty(t, config.Validate(file.Source{}.Definition(), "", map[string]string{"file": "f", "topic": "t"}).Errors())
	assert.Len(t, config.Validate(file.Sink{}.Definition(), "", nil).Errors(), 1)

	where := map[string]any{"filename": "f"}
	for _, test := range []struct {
		partition, offset map[string]any
		want              string
	}{
		{where, map[string]any{"position": int64(1)}, ""},
		{nil, nil, ""},
		{where, map[string]any{}, "contain the key 'position'"},
		{where, map[string]any{"position": "1"}, "expected to be a Long value"},
		{where, map[string]any{"position": int64(-1)}, "non-negative value"},
		{nil, map[string]any{"position": int64(1)}, "cannot be null"},
		{map[string]any{"a": "b"}, map[string]any{"position": int64(1)}, "contain the key 'filename'"},
	} {
		err := file.Source{}.CheckOffset(test.partition, test.offset)
		if test.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.want)
		}
	}
}

func TestTasksHaveTheConnectorsSettings(t *testing.T) {
	env, _ := environment()
	type opener interface {
		Open(ctx context.Context, env plugin.Environment, settings map[string]string) (plugin.Instance, error)
	}
	for class, most := range map[opener]int{file.Source{}: 1, file.Sink{}: 3} {
		instance, err := class.Open(t.Context(), env, map[string]string{"file": "f"})
		require.NoError(t, err)
		tasks, err := instance.TaskConfigs(t.Context(), 3)
		require.NoError(t, err)
		assert.Len(t, tasks, most)
		assert.Equal(t, "f", tasks[0]["file"])
		require.NoError(t, instance.Close())
	}
}

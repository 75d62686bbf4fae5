package connect_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of two changes at once the one that the topic has last is the one in force: else a
// start would bring back what was changed since.
func TestChangesAtOnceAreInForceAsTheTopicHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		s.createTopic("in")
		config := map[string]string{"connector.class": "FileStreamSink", "topics": "in", "file": filepath.Join(s.dir, "out.txt")}
		s.create("sink", config)
		s.waitRunning("sink")
		put := func(path string) { assert.Equal(t, http.StatusAccepted, s.request(http.MethodPut, path, nil).status) }
		for range 100 {
			var both sync.WaitGroup
			both.Go(func() { put("/connectors/sink/pause") })
			both.Go(func() { put("/connectors/sink/resume") })
			both.Wait()
			synctest.Wait()
			end := int(s.end("connect-configs"))
			last := s.records("connect-configs", end-1, 1)[0]
			require.Equal(t, "target-state-sink", string(last.Key))
			var target struct {
				State string `json:"state.v2"`
			}
			require.NoError(t, json.Unmarshal(last.Value, &target))
			want := map[string]string{"PAUSED": "PAUSED", "STARTED": "RUNNING"}[target.State]
			require.Equal(t, want, s.status("sink").Connector.State)
		}
	})
}

func TestAConnectorIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		s.createTopic("in")
		body := map[string]any{"name": "sink", "config": map[string]string{"connector.class": "FileStreamSink", "topics": "in", "file": filepath.Join(s.dir, "out.txt")}}
		for range 50 {
			var mu sync.Mutex
			made := 0
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if s.request(http.MethodPost, "/connectors", body).status == http.StatusCreated {
						mu.Lock()
						defer mu.Unlock()
						made++
					}
				})
			}
			all.Wait()
			require.Equal(t, 1, made)
			require.Equal(t, http.StatusNoContent, s.request(http.MethodDelete, "/connectors/sink", nil).status)
		}
	})
}

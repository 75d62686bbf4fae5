//go:build peers

package connect_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// TestPeerConnectRunsOnTheEmbeddedBroker has a real worker keep its state in the
// embedded broker, write a file's lines to a topic and its records to another file,
// and go on after a restart.
func TestPeerConnectRunsOnTheEmbeddedBroker(t *testing.T) {
	brokers := startBroker(t)
	worker := peers.StartConnect(t, peers.ConnectConfig{Brokers: brokers})
	side := peerSide{t: t, url: worker.URL, brokers: brokers}

	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	require.NoError(t, os.WriteFile(in, []byte("one\ntwo\n"), 0o644))
	side.create("lines", map[string]string{
		"connector.class": "FileStreamSource", "file": in, "topic": "lines", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
	})
	side.create("copy", map[string]string{
		"connector.class": "FileStreamSink", "file": out, "topics": "lines", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
	})
	side.waitRunning("lines")
	side.waitRunning("copy")
	side.waitFile(out, "one\ntwo\n")

	worker.Stop()
	appendFile(t, in, "three\n")
	worker = peers.StartConnect(t, peers.ConnectConfig{Brokers: brokers})
	side.url = worker.URL
	side.waitRunning("lines")
	side.waitRunning("copy")
	side.waitFile(out, "one\ntwo\nthree\n")

	for _, name := range []string{"lines", "copy"} {
		res := side.request(http.MethodPut, "/connectors/"+name+"/stop", nil)
		assert.Equal(t, http.StatusNoContent, res.status, "%s", res.body)
		side.waitState(name, "STOPPED")
		res = side.request(http.MethodGet, "/connectors/"+name+"/offsets", nil)
		assert.Equal(t, http.StatusOK, res.status, "%s", res.body)
		assert.Contains(t, string(res.body), map[string]string{"lines": `{"position":14}`, "copy": `{"kafka_offset":3}`}[name])
		res = side.request(http.MethodDelete, "/connectors/"+name+"/offsets", nil)
		assert.Equal(t, http.StatusOK, res.status, "%s", res.body)
		res = side.request(http.MethodDelete, "/connectors/"+name, nil)
		assert.Equal(t, http.StatusNoContent, res.status, "%s", res.body)
	}
}

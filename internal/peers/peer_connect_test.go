//go:build peers

package peers_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

func TestPeerConnectStarts(t *testing.T) {
	worker := peers.StartConnect(t, peers.ConnectConfig{Brokers: peers.StartKafka(t).Addr})
	res, err := http.Get(worker.URL + "/connector-plugins")
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	var plugins []struct{ Class string }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&plugins))
	var classes []string
	for _, p := range plugins {
		classes = append(classes, p.Class)
	}
	require.Contains(t, classes, "org.apache.kafka.connect.file.FileStreamSourceConnector")
}

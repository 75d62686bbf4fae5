//go:build peers

package connect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/connect"
)

// peerPatience is how long a real worker may take for what happens in the
// background: it reads its own topics again for most of it.
const peerPatience = 30 * time.Second

// startBroker starts an embedded broker for a real worker.
func startBroker(t testing.TB) string {
	t.Helper()
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: testLogger()})
	require.NoError(t, err)
	require.NoError(t, b.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	return b.Addr()
}

// startEmbedded starts an embedded worker with a broker of its own.
func startEmbedded(t testing.TB, env func(string) (string, bool)) peerSide {
	t.Helper()
	brokers := startBroker(t)
	server, err := connect.New(connect.Config{Addr: "127.0.0.1:0", Brokers: []string{brokers}, LookupEnv: env, EnvAllowlist: "PEER_.*", AllowedPaths: []string{os.TempDir()}, Logger: testLogger()})
	require.NoError(t, err)
	require.NoError(t, server.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return peerSide{t: t, url: "http://" + server.Addr(), brokers: brokers}
}

// peerSide is a worker, real or embedded, with the Kafka that it works on.
type peerSide struct {
	t       testing.TB
	url     string
	brokers string
}

// request sends a request whose body is nil, raw bytes or what becomes JSON. While
// the worker says that it is busy with others it is sent again.
func (s *peerSide) request(method, path string, body any) response {
	s.t.Helper()
	return s.requestWith(method, path, body, http.Header{"Content-Type": {"application/json"}})
}

func (s *peerSide) requestWith(method, path string, body any, header http.Header) response {
	s.t.Helper()
	raw, isRaw := body.([]byte)
	if !isRaw && body != nil {
		var err error
		raw, err = json.Marshal(body)
		require.NoError(s.t, err)
	}
	deadline := time.Now().Add(peerPatience)
	for {
		req, err := http.NewRequest(method, s.url+path, bytes.NewReader(raw))
		require.NoError(s.t, err)
		req.Header = header.Clone()
		res, err := http.DefaultClient.Do(req)
		require.NoError(s.t, err)
		answer, err := io.ReadAll(res.Body)
		require.NoError(s.t, errors.Join(err, res.Body.Close()))
		if !bytes.Contains(answer, []byte("rebalance")) && !bytes.Contains(answer, []byte("stale configuration")) {
			return response{res.StatusCode, res.Header, answer}
		}
		require.False(s.t, time.Now().After(deadline), "%s %s is refused all the time: %s", method, path, answer)
		<-time.NewTimer(50 * time.Millisecond).C
	}
}

func (s *peerSide) create(name string, config map[string]string) {
	s.t.Helper()
	res := s.request(http.MethodPost, "/connectors", map[string]any{"name": name, "config": config})
	require.Equal(s.t, http.StatusCreated, res.status, "%s", res.body)
}

func (s *peerSide) status(name string) statusAnswer {
	s.t.Helper()
	var answer statusAnswer
	if res := s.request(http.MethodGet, "/connectors/"+url.PathEscape(name)+"/status", nil); res.status == http.StatusOK {
		res.decode(s.t, &answer)
	}
	return answer
}

// waitStatus waits until a connector's status is as wanted.
func (s *peerSide) waitStatus(name, what string, wanted func(statusAnswer) bool) statusAnswer {
	s.t.Helper()
	var last statusAnswer
	deadline := time.Now().Add(peerPatience)
	for !wanted(last) {
		require.False(s.t, time.Now().After(deadline), "%s is not %s: %+v", name, what, last)
		<-time.NewTimer(50 * time.Millisecond).C
		last = s.status(name)
	}
	return last
}

func (s *peerSide) waitRunning(name string) {
	s.t.Helper()
	s.waitStatus(name, "running", func(a statusAnswer) bool {
		return a.Connector.State == "RUNNING" && len(a.Tasks) > 0 && a.Tasks[0].State == "RUNNING"
	})
}

func (s *peerSide) waitFailed(name string) statusAnswer {
	s.t.Helper()
	return s.waitStatus(name, "failed", func(a statusAnswer) bool {
		return a.Connector.State == "FAILED" || len(a.Tasks) > 0 && a.Tasks[0].State == "FAILED"
	})
}

// waitState waits for a state of a connector and all its tasks.
func (s *peerSide) waitState(name, state string) {
	s.t.Helper()
	s.waitStatus(name, state, func(a statusAnswer) bool {
		for _, t := range a.Tasks {
			if t.State != state {
				return false
			}
		}
		return a.Connector.State == state
	})
}

// waitFile waits for the content of a file.
func (s *peerSide) waitFile(path, want string) {
	s.t.Helper()
	var got []byte
	deadline := time.Now().Add(peerPatience)
	for string(got) != want {
		require.False(s.t, time.Now().After(deadline), "%s has %q, not %q", path, got, want)
		<-time.NewTimer(20 * time.Millisecond).C
		got, _ = os.ReadFile(path) // it need not be there yet
	}
}

func appendFile(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func (s *peerSide) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.brokers), kgo.MetadataMinAge(20*time.Millisecond))...)
	require.NoError(s.t, err)
	return client
}

func (s *peerSide) createTopic(name string) {
	s.t.Helper()
	client := s.client()
	defer client.Close()
	_, err := kadm.NewClient(client).CreateTopic(context.Background(), 1, 1, nil, name)
	require.NoError(s.t, err)
}

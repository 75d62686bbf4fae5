package broker_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/credentials"
	"github.com/orderflow/orderflow/internal/credentials/credentialstest"
	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/listen"
)

// protected is a broker with TLS and a user, and how to reach it.
func protected(t *testing.T, cfg broker.Config) (b *broker.Broker, as access.Kafka) {
	t.Helper()
	cert, key := credentialstest.Certificate(t)
	file, _, _ := credentialstest.File(t)
	users, err := credentials.Load(file)
	require.NoError(t, err)
	cfg.TLS, cfg.Credentials = listen.TLS{CertFile: cert, KeyFile: key}, users
	return start(t, cfg), access.Kafka{
		UseTLS: true, TLS: access.TLS{CAFile: cert},
		Mechanism: access.ScramSHA512, Username: credentialstest.User, Password: credentialstest.Password,
	}
}

func options(t *testing.T, as access.Kafka) []kgo.Opt {
	t.Helper()
	opts, err := as.Options()
	require.NoError(t, err)
	return opts
}

func ping(t *testing.T, addr string, opts ...kgo.Opt) error {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.RequestRetries(0))...)
	require.NoError(t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return cl.Ping(ctx)
}

func TestClientsLogIn(t *testing.T) {
	cert, certKey := credentialstest.Certificate(t)
	file, keyName, key := credentialstest.File(t)
	users, err := credentials.Load(file)
	require.NoError(t, err)
	withTLS := listen.TLS{CertFile: cert, KeyFile: certKey}
	user := func(mechanism string) access.Kafka {
		return access.Kafka{Mechanism: mechanism, Username: credentialstest.User, Password: credentialstest.Password}
	}
	wrong := user(access.ScramSHA512)
	wrong.Password = "wrong-one"
	wrongPlain := user(access.Plain)
	wrongPlain.Password = "wrong-one"
	stranger := user(access.ScramSHA256)
	stranger.Username = "bob"
	for _, c := range []struct {
		name  string
		tls   listen.TLS
		users *credentials.Store
		as    access.Kafka
		clear bool   // the client speaks clear text to a server with TLS
		want  string // in the error; empty for none
	}{
		{"PLAIN", withTLS, users, user(access.Plain), false, ""},
		{"SCRAM-SHA-256", withTLS, users, user(access.ScramSHA256), false, ""},
		{"SCRAM-SHA-512", withTLS, users, user(access.ScramSHA512), false, ""},
		{"API key", withTLS, users, access.Kafka{Mechanism: access.Plain, Username: keyName, Password: key}, false, ""},
		{"SCRAM without TLS", listen.TLS{}, users, user(access.ScramSHA512), false, ""},
		{"PLAIN without TLS", listen.TLS{}, users, user(access.Plain), false, "UNSUPPORTED_SASL_MECHANISM"},
		{"TLS alone", withTLS, nil, access.Kafka{}, false, ""},
		{"nothing", listen.TLS{}, nil, access.Kafka{}, false, ""},
		{"a login that nobody asked for", listen.TLS{}, nil, user(access.ScramSHA512), false, "ILLEGAL_SASL_STATE"},
		{"a wrong password", withTLS, users, wrong, false, "SASL_AUTHENTICATION_FAILED"},
		{"a wrong password for PLAIN", withTLS, users, wrongPlain, false, "SASL_AUTHENTICATION_FAILED"},
		{"a stranger", withTLS, users, stranger, false, "SASL_AUTHENTICATION_FAILED"},
		{"no login", withTLS, users, access.Kafka{}, false, "broker closed the connection"},
		{"clear text", withTLS, users, user(access.ScramSHA512), true, "is TLS missing?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := start(t, broker.Config{TLS: c.tls, Credentials: c.users})
			c.as.UseTLS, c.as.TLS.CAFile = c.tls.Enabled() && !c.clear, cert
			err := ping(t, b.Addr(), options(t, c.as)...)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "wrong-one")
		})
	}
}

func TestProtectedBrokerWorks(t *testing.T) {
	b, as := protected(t, broker.Config{DataDir: t.TempDir()})
	require.True(t, b.Protected())
	within := kgo.Dialer(b.Dial)
	cl := client(t, b.Addr(), within)
	createTopic(t, cl, "orders", 2, nil)
	produce(t, cl, "orders", 0, 100)
	outside := client(t, b.Addr(), append(options(t, as), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	for n := 0; n < 100; {
		fetches := outside.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		n += fetches.NumRecords()
	}
	shown, err := kadm.NewClient(cl).DescribeBrokerConfigs(t.Context(), 1)
	require.NoError(t, err)
	values := map[string]string{}
	for _, c := range shown[0].Configs {
		values[c.Key] = c.MaybeValue()
	}
	assert.Equal(t, "SASL_SSL://"+b.Addr(), values["advertised.listeners"])
	assert.Equal(t, "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", values["sasl.enabled.mechanisms"])
	require.NoError(t, b.Stop())
	_, err = b.Dial(t.Context(), "tcp", b.Addr())
	require.ErrorContains(t, err, "does not run")
	require.NoError(t, b.Start(t.Context()))
	require.NoError(t, ping(t, b.Addr(), options(t, as)...), "after a restart")
	require.NoError(t, ping(t, b.Addr(), within))
}

func TestProtectionThatCantWork(t *testing.T) {
	lines, err := credentials.UserLines("anna", "secret")
	require.NoError(t, err)
	file := t.TempDir() + "/credentials"
	require.NoError(t, os.WriteFile(file, []byte(lines[0]), 0o600))
	bcryptOnly, err := credentials.Load(file)
	require.NoError(t, err)
	for want, cfg := range map[string]broker.Config{
		"nobody could log in":         {Credentials: bcryptOnly},
		"reading the TLS certificate": {TLS: listen.TLS{CertFile: "none", KeyFile: "none"}},
	} {
		cfg.Addr = "127.0.0.1:0"
		b, err := broker.New(cfg)
		require.NoError(t, err)
		require.ErrorContains(t, b.Start(t.Context()), want)
		require.NoError(t, b.Stop())
	}
}

// What strangers send before a login ends their connection, and nothing else.
func TestHostileLogins(t *testing.T) {
	out := &syncBuffer{}
	b, as := protected(t, broker.Config{FrameTimeout: 200 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(out, nil))})
	pool, err := as.TLS.Config()
	require.NoError(t, err)
	pool.ServerName = "127.0.0.1"
	frame := func(version int16, req kmsg.Request) []byte {
		req.SetVersion(version)
		return kmsg.NewRequestFormatter().AppendRequest(nil, req, 7)
	}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = "PLAIN"
	again := append(frame(1, hello), frame(1, hello)...)
	early := kmsg.NewPtrSASLAuthenticateRequest()
	early.SASLAuthBytes = []byte("\x00anna\x00" + credentialstest.Password)
	broken := kmsg.NewPtrSASLAuthenticateRequest()
	broken.SASLAuthBytes = []byte("what-nobody-may-see")
	for name, c := range map[string]struct {
		send []byte
		log  string
	}{
		"metadata":                 {frame(9, kmsg.NewPtrMetadataRequest()), "Metadata request came before a login"},
		"produce after handshake":  {append(frame(1, hello), frame(9, kmsg.NewPtrProduceRequest())...), "Produce request came before a login"},
		"a bare login that fails":  {append(frame(0, hello), 0, 0, 0, 4, 0, 'a', 0, 'b'), "a login with PLAIN failed"},
		"a bare login of nothing":  {append(frame(0, hello), 0, 0, 0, 0), "a frame of 0 bytes"},
		"large":                    {head(1<<20, 36, 0), "larger than 65536, before a login"},
		"broken":                   {append(frame(1, hello), frame(2, broken)...), "a login with PLAIN failed"},
		"authenticate, metadata":   {append(frame(2, early), frame(9, kmsg.NewPtrMetadataRequest())...), "Metadata request came before a login"},
		"metadata after two hello": {append(again, frame(9, kmsg.NewPtrMetadataRequest())...), "Metadata request came before a login"},
		"nothing":                  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", b.Addr(), pool)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, err = conn.Write(c.send)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, conn)
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is closed")
			assert.Eventually(t, func() bool { return strings.Contains(out.String(), c.log) }, 5*time.Second, time.Millisecond)
		})
	}
	t.Run("no handshake of TLS", func(t *testing.T) {
		conn, err := net.Dial("tcp", b.Addr())
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.Copy(io.Discard, conn)
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is closed")
	})
	t.Run("the way in for this process", func(t *testing.T) {
		own, err := b.Dial(t.Context(), "", "")
		require.NoError(t, err)
		require.NoError(t, own.Close())
		conn, err := net.Dial("tcp", own.RemoteAddr().String())
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = conn.Write(append(frame(9, kmsg.NewPtrMetadataRequest()), make([]byte, 32)...))
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, conn)
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is closed")
		assert.Zero(t, n)
	})
	require.NoError(t, ping(t, b.Addr(), options(t, as)...))
	for _, secret := range []string{credentialstest.Password, "what-nobody-may-see"} {
		assert.NotContains(t, out.String(), secret)
	}
}

// A client that may not be served yet learns which requests there are.
func TestApiVersionsBeforeALogin(t *testing.T) {
	file, _, _ := credentialstest.File(t)
	users, err := credentials.Load(file)
	require.NoError(t, err)
	b := start(t, broker.Config{Credentials: users})
	conn, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(2)
	_, err = conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 7))
	require.NoError(t, err)
	size := make([]byte, 4)
	_, err = io.ReadFull(conn, size)
	require.NoError(t, err)
	answer := make([]byte, binary.BigEndian.Uint32(size))
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(2)
	require.NoError(t, resp.ReadFrom(answer[4:]))
	keys := map[int16]int16{}
	for _, k := range resp.ApiKeys {
		keys[k.ApiKey] = k.MaxVersion
	}
	assert.EqualValues(t, 1, keys[int16(kmsg.SASLHandshake)])
	assert.EqualValues(t, 2, keys[int16(kmsg.SASLAuthenticate)])
}

// Clients of the time before SaslAuthenticate send the messages of a login as they
// are.
func TestBareLogin(t *testing.T) {
	b, as := protected(t, broker.Config{})
	config, err := as.TLS.Config()
	require.NoError(t, err)
	conn, err := tls.Dial("tcp", b.Addr(), config)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	send := func(message []byte) []byte {
		_, err := conn.Write(message)
		require.NoError(t, err)
		size := make([]byte, 4)
		_, err = io.ReadFull(conn, size)
		require.NoError(t, err)
		answer := make([]byte, binary.BigEndian.Uint32(size))
		_, err = io.ReadFull(conn, answer)
		require.NoError(t, err)
		return answer
	}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = "PLAIN"
	resp := kmsg.NewPtrSASLHandshakeResponse()
	require.NoError(t, resp.ReadFrom(send(kmsg.NewRequestFormatter().AppendRequest(nil, hello, 7))[4:]))
	require.Zero(t, resp.ErrorCode)
	require.Len(t, resp.SupportedMechanisms, 3)
	token := "\x00" + as.Username + "\x00" + as.Password
	require.Empty(t, send(append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)))
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 1
	require.NotEmpty(t, send(kmsg.NewRequestFormatter().AppendRequest(nil, metadata, 8)))
}

package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/broker/login"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// innerDialTimeout bounds a connection within the process.
const innerDialTimeout = 10 * time.Second

var noDeadline time.Time

// Protected reports whether strangers have to log in or to speak TLS. Clients of
// this process then connect by Dial.
func (b *Broker) Protected() bool { return b.cfg.TLS.Enabled() || b.cfg.Credentials != nil }

// Dial connects a client of this process, which needs neither TLS nor a login, to
// a broker that is Protected. The address is not looked at.
func (b *Broker) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	b.mu.Lock()
	var in *inner
	if b.running != nil {
		in = b.running.inner
	}
	b.mu.Unlock()
	if in == nil {
		return nil, errors.New("connecting to the embedded Kafka: it does not run, or is not protected")
	}
	ctx, cancel := context.WithTimeout(ctx, innerDialTimeout)
	defer cancel()
	conn, err := in.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the embedded Kafka within the process: %w", err)
	}
	return conn, nil
}

// listeners are the ways in: for everybody, and for this process where everybody
// has to log in or to speak TLS.
func (b *Broker) listeners(ctx context.Context, inst *instance) ([]*wire.Listener, error) {
	outer := &wire.Listener{Listener: inst.listener, MaxConnections: b.cfg.MaxConnections}
	if b.cfg.TLS.Enabled() {
		certificate, err := tls.LoadX509KeyPair(b.cfg.TLS.CertFile, b.cfg.TLS.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the TLS certificate of the broker (%s) and its key (%s): %w; both must be PEM files and belong together", b.cfg.TLS.CertFile, b.cfg.TLS.KeyFile, err)
		}
		outer.Admit = handshake(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}
	if b.cfg.Credentials != nil {
		var err error
		if outer.Login, err = login.New(b.cfg.Credentials, b.cfg.TLS.Enabled()); err != nil {
			return nil, err
		}
		inst.mechanisms = outer.Login.Mechanisms()
	}
	if !b.Protected() {
		return []*wire.Listener{outer}, nil
	}
	in, err := openInner(ctx)
	if err != nil {
		return nil, err
	}
	inst.inner = in
	return []*wire.Listener{outer, {Listener: in, Admit: in.admit}}, nil
}

// handshake is the way in by TLS.
func handshake(config *tls.Config) func(context.Context, net.Conn) (net.Conn, error) {
	return func(ctx context.Context, conn net.Conn) (net.Conn, error) {
		encrypted := tls.Server(conn, config)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("shaking hands for TLS: %w", err)
		}
		return encrypted, nil
	}
}

// protocol is what clients have to speak, by Kafka's name.
func (b *Broker) protocol() string {
	name := "PLAINTEXT"
	if b.cfg.TLS.Enabled() {
		name = "SSL"
	}
	if b.cfg.Credentials == nil {
		return name
	}
	return "SASL_" + name
}

// securitySettings are the broker's settings about who may use it.
func (b *Broker) securitySettings(inst *instance) []settings.BrokerValue {
	return []settings.BrokerValue{
		{Name: "advertised.listeners", Type: settings.String, Value: b.protocol() + "://" + inst.addr, Set: true},
		{Name: "sasl.enabled.mechanisms", Type: settings.List, Value: strings.Join(inst.mechanisms, ","), Set: len(inst.mechanisms) > 0},
	}
}

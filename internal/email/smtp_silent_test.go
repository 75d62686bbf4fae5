package email

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mail server that no longer answers on a connection that was left open holds up nobody who stops.
func TestSendingEndsWithItsContextOnAConnectionThatFellSilent(t *testing.T) {
	server := startMailServer(t, TLSNever)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	var silent atomic.Bool
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server.addr)
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				_, _ = io.Copy(in, out)
			}()
			go func() {
				defer out.Close()
				buf := make([]byte, 4096)
				for {
					n, err := in.Read(buf)
					if err != nil {
						return
					}
					if !silent.Load() {
						_, _ = out.Write(buf[:n])
					}
				}
			}()
		}
	}()
	sender, err := NewSMTPSender(SMTPConfig{Address: ln.Addr().String(), From: "shop@example.com", TLS: TLSNever, Timeout: 15 * time.Second})
	require.NoError(t, err)
	defer sender.Close()
	e := Email{MessageID: MessageID("o-1", "p-1"), To: "a@example.com", Subject: "s", Text: "t", HTML: "h"}
	require.NoError(t, sender.Send(t.Context(), e))
	silent.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	require.Error(t, sender.Send(ctx, e))
	assert.Less(t, time.Since(began), 5*time.Second)
}

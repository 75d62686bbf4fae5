package email

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

// mailServer is an SMTP server that keeps what it is given.
type mailServer struct {
	addr string
	ca   string // file of its certificate

	mu       sync.Mutex
	messages []delivered
	logins   int
	sessions int
	refuse   map[string]error // by recipient
}

type delivered struct {
	from, to string
	data     []byte
}

func (m *mailServer) all() []delivered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]delivered(nil), m.messages...)
}

// startMailServer runs a server; mode is how it protects connections.
func startMailServer(t *testing.T, mode string) *mailServer {
	t.Helper()
	m := &mailServer{refuse: map[string]error{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sessions++
		return &mailSession{server: m}, nil
	}))
	server.Domain = "localhost"
	server.EnableSMTPUTF8 = true
	server.ErrorLog = quiet{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.addr = ln.Addr().String()
	if mode == TLSNever {
		server.AllowInsecureAuth = true
	} else {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{m.certificate(t)}}
	}
	if mode == TLSAlways {
		ln = tls.NewListener(ln, server.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return m
}

func (m *mailServer) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	m.ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(m.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type mailSession struct {
	server *mailServer
	mail   delivered
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "shop" || password != "secret" {
			return errors.New("wrong password")
		}
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.logins++
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mail.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.mail.to = to
	return s.server.refuse[to]
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = data
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.messages = append(s.server.messages, s.mail)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

func newSender(t *testing.T, cfg SMTPConfig) *SMTPSender {
	t.Helper()
	if cfg.From == "" {
		cfg.From = "The Shop <shop@example.com>"
	}
	s, err := NewSMTPSender(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestEmailsArriveOverSMTP(t *testing.T) {
	now := time.Date(2024, 5, 1, 12, 30, 0, 0, time.UTC)
	for _, mode := range []string{TLSStart, TLSAlways, TLSNever} {
		t.Run(mode, func(t *testing.T) {
			server := startMailServer(t, mode)
			sender := newSender(t, SMTPConfig{
				Address: server.addr, TLS: mode, CAFile: server.ca, Username: "shop", Password: "secret", Now: func() time.Time { return now },
			})
			e := Email{MessageID: MessageID("o-1", "p-1"), To: "ann@example.com", Subject: "Bestellung für Ännchen, " + strings.Repeat("ü", 100), Text: "Grüße\n.\nEnde\n", HTML: "<p>Grüße</p>\n"}
			require.NoError(t, sender.Send(t.Context(), e))
			require.NoError(t, sender.Send(t.Context(), e))
			got := server.all()
			require.Len(t, got, 2)
			assert.Equal(t, "shop@example.com", got[0].from)
			assert.Equal(t, "ann@example.com", got[0].to)
			assert.Equal(t, got[0].data, got[1].data, "a repeated e-mail is the same, byte by byte")
			assert.Equal(t, 1, server.logins, "the connection is kept")

			message, err := mail.ReadMessage(bytes.NewReader(got[0].data))
			require.NoError(t, err)
			decode := func(header string) string {
				text, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get(header))
				require.NoError(t, err)
				return text
			}
			assert.Equal(t, e.Subject, decode("Subject"))
			assert.Equal(t, e.MessageID, decode("Message-ID"))
			assert.Equal(t, `"The Shop" <shop@example.com>`, decode("From"))
			assert.Equal(t, "Wed, 01 May 2024 12:30:00 +0000", decode("Date"))
			for line := range bytes.Lines(got[0].data) {
				assert.LessOrEqual(t, len(line), 100)
			}
			mediaType, params, err := mime.ParseMediaType(decode("Content-Type"))
			require.NoError(t, err)
			require.Equal(t, "multipart/alternative", mediaType)
			parts := multipart.NewReader(message.Body, params["boundary"])
			for _, want := range []string{e.Text, e.HTML} {
				part, err := parts.NextPart()
				require.NoError(t, err)
				body, err := io.ReadAll(part)
				require.NoError(t, err)
				assert.Equal(t, want, strings.ReplaceAll(string(body), "\r\n", "\n"))
			}
			_, err = parts.NextPart()
			assert.Equal(t, io.EOF, err)
		})
	}
}

func TestServersAnswersAreToldApart(t *testing.T) {
	server := startMailServer(t, TLSNever)
	server.refuse["gone@example.com"] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	server.refuse["full@example.com"] = &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	server.refuse["late@example.com"] = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing"}
	sender := newSender(t, SMTPConfig{Address: server.addr, TLS: TLSNever})
	send := func(to string) error { return sender.Send(t.Context(), Email{MessageID: "<1@orderflow>", To: to}) }

	var refused *RefusedError
	require.ErrorAs(t, send("gone@example.com"), &refused)
	assert.False(t, refused.Temporary)
	require.ErrorAs(t, send("full@example.com"), &refused)
	assert.True(t, refused.Temporary)
	require.ErrorAs(t, send("a@b> SIZE=1"), &refused)
	assert.False(t, refused.Temporary)
	err := send("late@example.com")
	require.ErrorContains(t, err, "421")
	assert.False(t, errors.As(err, &refused), "the server's end says nothing about the e-mail")
	require.NoError(t, send("ann@example.com"))
	require.NoError(t, send("änne@example.com"))
}

func TestUnusableServersAreNoRefusals(t *testing.T) {
	open, always := startMailServer(t, TLSNever), startMailServer(t, TLSAlways)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	for name, c := range map[string]struct {
		cfg  SMTPConfig
		want string
	}{
		"no STARTTLS":         {SMTPConfig{Address: open.addr}, "STARTTLS"},
		"unknown certificate": {SMTPConfig{Address: always.addr, TLS: TLSAlways}, "certificate"},
		"wrong password":      {SMTPConfig{Address: open.addr, TLS: TLSNever, Username: "shop", Password: "x"}, "authenticating as shop"},
		"silent":              {SMTPConfig{Address: ln.Addr().String(), TLS: TLSNever, Timeout: 50 * time.Millisecond}, "connecting to mail server"},
	} {
		t.Run(name, func(t *testing.T) {
			err := newSender(t, c.cfg).Send(t.Context(), Email{MessageID: "<1@orderflow>", To: "ann@example.com"})
			require.ErrorContains(t, err, c.want)
			var refused *RefusedError
			assert.False(t, errors.As(err, &refused))
		})
	}
}

func TestWrongSMTPSettingsAreNamed(t *testing.T) {
	for want, cfg := range map[string]SMTPConfig{
		"is not host:port":      {Address: "mail", From: "a@b"},
		"no e-mail address":     {Address: "mail:25", From: "shop"},
		"is unknown":            {Address: "mail:25", From: "a@b", TLS: "ssl"},
		"in the clear":          {Address: "mail:25", From: "a@b", TLS: TLSNever, Username: "u"},
		"without a user name":   {Address: "mail:25", From: "a@b", Password: "p"},
		"certificates to trust": {Address: "mail:25", From: "a@b", CAFile: "/does/not/exist"},
	} {
		_, err := NewSMTPSender(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestServiceSendsOverSMTPAndGoesOnAfterAnOutage(t *testing.T) {
	cfg, server := start(t), startMailServer(t, TLSStart)
	server.refuse["gone@example.com"] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	sender := newSender(t, SMTPConfig{Address: server.addr, CAFile: server.ca})
	run(t, cfg, "g", &flaky{Sender: sender, fail: 3})
	kafkatest.Produce(t, cfg,
		record(t, cfg, paid("o-1", "p-1", "ann@example.com")),
		record(t, cfg, paid("o-2", "p-2", "gone@example.com")),
		record(t, cfg, paid("o-3", "p-3", "ann@example.com")),
		record(t, cfg, paid("o-1", "p-1", "ann@example.com")),
	)
	require.Eventually(t, func() bool { return len(server.all()) >= 2 }, 20*time.Second, time.Millisecond)
	assert.Contains(t, waitDeadLetters(t, cfg, 1)[0].Reason, "no such user")
	waitLedger(t, cfg, 2)
	assert.Len(t, server.all(), 2)
}

// flaky loses the way to the server for the first e-mails.
type flaky struct {
	Sender
	fail int
}

func (f *flaky) Send(ctx context.Context, e Email) error {
	if f.fail--; f.fail >= 0 {
		return errors.New("no route to host")
	}
	return f.Sender.Send(ctx, e)
}

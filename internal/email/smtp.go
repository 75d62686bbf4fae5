package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// The ways to protect a connection to a mail server.
const (
	// TLSStart begins in the clear and insists on STARTTLS, as is usual on port 587.
	TLSStart = "starttls"
	// TLSAlways begins with TLS, as is usual on port 465.
	TLSAlways = "tls"
	// TLSNever sends everything in the clear.
	TLSNever = "none"
)

const (
	defaultSMTPTimeout = 20 * time.Second
	// idleLimit is how long a connection is kept for the next e-mail; servers hang up
	// after some minutes.
	idleLimit = 30 * time.Second
)

// SMTPConfig says which mail server takes the e-mails.
type SMTPConfig struct {
	// Address is the server's host:port.
	Address string
	// From is the sender: an address, or a name and an address, as in a From header.
	From string
	// Username and Password are used when the name is not empty.
	Username string
	Password string
	// TLS is TLSStart, TLSAlways or TLSNever. Empty means TLSStart.
	TLS string
	// CAFile names a PEM file of certificates to trust in place of the system's. Empty: those.
	CAFile string
	// Timeout bounds the sending of one e-mail, connecting included. 0 means 20 s.
	Timeout time.Duration
	// Now tells the time for the Date header. Nil means time.Now.
	Now func() time.Time
}

// SMTPSender is a Sender that hands e-mails to a mail server. It keeps the connection
// between e-mails that follow each other closely. It is safe for concurrent use and
// sends one at a time.
type SMTPSender struct {
	cfg  SMTPConfig
	host string
	from *mail.Address
	tls  *tls.Config

	mu     sync.Mutex
	client *smtp.Client // nil when there is no connection
	used   time.Time    // when client was used last
}

// NewSMTPSender checks the configuration. It connects when the first e-mail is sent.
func NewSMTPSender(cfg SMTPConfig) (*SMTPSender, error) {
	if cfg.TLS == "" {
		cfg.TLS = TLSStart
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultSMTPTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &SMTPSender{cfg: cfg}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("setting up the sending of e-mails: %w", err)
	}
	return s, nil
}

func (s *SMTPSender) prepare() error {
	cfg := s.cfg
	var err error
	if s.host, _, err = net.SplitHostPort(cfg.Address); err != nil || s.host == "" {
		return fmt.Errorf("the mail server's address %q is not host:port", cfg.Address)
	}
	if s.from, err = mail.ParseAddress(cfg.From); err != nil {
		return fmt.Errorf("the sender %q is no e-mail address such as Shop <shop@example.com>: %w", cfg.From, err)
	}
	switch cfg.TLS {
	case TLSStart, TLSAlways:
	case TLSNever:
		if cfg.Username != "" && !loopback(s.host) {
			return fmt.Errorf("the password would travel to %s in the clear: use %s or %s", s.host, TLSStart, TLSAlways)
		}
	default:
		return fmt.Errorf("the protection %q is unknown: use %s, %s or %s", cfg.TLS, TLSStart, TLSAlways, TLSNever)
	}
	if cfg.Password != "" && cfg.Username == "" {
		return errors.New("a password is given without a user name")
	}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if cfg.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return fmt.Errorf("reading the certificates to trust: %w", err)
	}
	s.tls.RootCAs = x509.NewCertPool()
	if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("reading the certificates to trust: %s has none in PEM form", cfg.CAFile)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Close ends the connection, if there is one. The next e-mail opens another.
func (s *SMTPSender) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangUp()
	return nil
}

func (s *SMTPSender) hangUp() {
	if s.client != nil {
		// The connection is given up whatever the server says to that.
		_ = s.client.Close()
		s.client = nil
	}
}

// Send hands e to the mail server and returns once that has taken it. The error is a
// RefusedError when the server refuses this recipient or this message.
func (s *SMTPSender) Send(ctx context.Context, e Email) error {
	if a, err := mail.ParseAddress(e.To); err != nil || a.Address != e.To {
		return &RefusedError{Err: fmt.Errorf("%q is no e-mail address", e.To)}
	}
	message, err := encodeMessage(e, s.from, s.cfg.Now())
	if err != nil {
		return &RefusedError{Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if s.client != nil && (time.Since(s.used) > idleLimit || !alive(ctx, s.client)) {
		s.hangUp()
	}
	if s.client == nil {
		if s.client, err = s.connect(ctx); err != nil {
			return fmt.Errorf("connecting to mail server %s: %w", s.cfg.Address, errors.Join(err, ctx.Err()))
		}
	}
	client := s.client
	// Closing the connection is what ends a command that is under way.
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	err = transact(client, s.from.Address, e.To, message)
	interrupted := !stop()
	s.used = time.Now()
	if err != nil || interrupted {
		s.hangUp()
	}
	if err != nil {
		return fmt.Errorf("handing e-mail %s to %s: %w", e.MessageID, s.cfg.Address, err)
	}
	return nil
}

// alive reports whether the server answers on a connection before ctx ends.
func alive(ctx context.Context, client *smtp.Client) bool {
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	err := client.Noop()
	return stop() && err == nil
}

func (s *SMTPSender) connect(ctx context.Context) (*smtp.Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.cfg.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var client *smtp.Client
	switch s.cfg.TLS {
	case TLSStart:
		if client, err = smtp.NewClientStartTLS(conn, s.tls); err != nil {
			return nil, err
		}
	case TLSAlways:
		client = smtp.NewClient(tls.Client(conn, s.tls))
	default:
		client = smtp.NewClient(conn)
	}
	client.CommandTimeout, client.SubmissionTimeout = s.cfg.Timeout, s.cfg.Timeout
	if err := s.authenticate(client); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

func (s *SMTPSender) authenticate(client *smtp.Client) error {
	if s.cfg.Username == "" {
		return client.Noop()
	}
	if err := client.Noop(); err != nil {
		return err
	}
	var mechanism sasl.Client
	switch {
	case client.SupportsAuth(sasl.Plain):
		mechanism = sasl.NewPlainClient("", s.cfg.Username, s.cfg.Password)
	case client.SupportsAuth(sasl.Login):
		mechanism = sasl.NewLoginClient(s.cfg.Username, s.cfg.Password)
	default:
		return errors.New("the server offers neither PLAIN nor LOGIN authentication")
	}
	if err := client.Auth(mechanism); err != nil {
		return fmt.Errorf("authenticating as %s: %w", s.cfg.Username, err)
	}
	return nil
}

// transact sends one message over a connection. What the server says to the sender's
// address is about all e-mails, what it says to recipient and message about this one.
func transact(client *smtp.Client, from, to string, message []byte) error {
	options := &smtp.MailOptions{Size: int64(len(message))}
	if !ascii(to) {
		if ok, _ := client.Extension("SMTPUTF8"); !ok {
			return &RefusedError{Err: errors.New("the server takes no address with letters beyond ASCII")}
		}
		options.UTF8 = true
	}
	if err := client.Mail(from, options); err != nil {
		return err
	}
	if err := client.Rcpt(to, nil); err != nil {
		return refusal(err)
	}
	data, err := client.Data()
	if err != nil {
		return refusal(err)
	}
	if _, err := data.Write(message); err != nil {
		return err
	}
	return refusal(data.Close())
}

// serviceClosing is the code with which a server ends a connection, whatever it was asked.
const serviceClosing = 421

// refusal makes a RefusedError of a server's answer, and leaves other errors as they are.
func refusal(err error) error {
	var answer *smtp.SMTPError
	if !errors.As(err, &answer) || answer.Code == serviceClosing {
		return err
	}
	return &RefusedError{Temporary: answer.Temporary(), Err: err}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

package main

import (
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/mail"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/verify"
)

// mailbox is a mail server that remembers what arrived. It outlives the processes. It
// may be told to be unreliable.
type mailbox struct {
	address string

	mu      sync.Mutex
	arrived []verify.Delivery
	random  *rand.Rand // draws what goes wrong; nil when nothing does
	wrong   int        // how often something went wrong
}

func startMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s := &mailSession{box: m, conn: c.Conn()}
		return s, s.trouble(inGreeting)
	}))
	server.Domain = "localhost"
	server.EnableSMTPUTF8 = true
	server.ErrorLog = log.New(io.Discard, "", 0)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.address = ln.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // ends with an error when it is closed
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return m
}

// all returns what has arrived.
func (m *mailbox) all() []verify.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]verify.Delivery(nil), m.arrived...)
}

// troubled returns how often something went wrong.
func (m *mailbox) troubled() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wrong
}

// unreliable has things go wrong as a random source says, or nothing for nil.
func (m *mailbox) unreliable(random *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.random = random
}

// mailStage is a moment of the dialogue about one e-mail.
type mailStage int

const (
	inGreeting mailStage = iota
	inSender
	inRecipient
	beforeMessage
	inMessage
	afterMessage // which is not taken
	afterTaking  // the answer to which is lost
)

// troubleEvery is one in how many stages something goes wrong in, while it may.
const troubleEvery = 40

// busy are answers of a server that is to be asked again later.
var busy = []*smtp.SMTPError{
	{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing down"},
	{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "the mailbox is busy"},
	{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "something went wrong here"},
	{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "the disk is full"},
}

var errHungUp = errors.New("the connection was ended")

type mailSession struct {
	box  *mailbox
	conn net.Conn
	to   string
}

// trouble returns an error when something goes wrong at a stage: the server is busy, or
// has ended the connection.
func (s *mailSession) trouble(at mailStage) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	random := s.box.random
	if random == nil || random.IntN(troubleEvery) > 0 {
		return nil
	}
	s.box.wrong++
	// In the midst of a message there is nothing to say.
	if at != afterTaking && at != inMessage && random.IntN(2) == 0 {
		return busy[random.IntN(len(busy))]
	}
	if tcp, ok := s.conn.(*net.TCPConn); ok && random.IntN(2) == 0 {
		_ = tcp.SetLinger(0)
	}
	_ = s.conn.Close()
	return errHungUp
}

func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }
func (s *mailSession) Mail(string, *smtp.MailOptions) error { return s.trouble(inSender) }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return s.trouble(inRecipient)
}
func (s *mailSession) Data(r io.Reader) error {
	if err := s.trouble(beforeMessage); err != nil {
		return err
	}
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if err := s.trouble(inMessage); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, message.Body); err != nil {
		return err
	}
	if err := s.trouble(afterMessage); err != nil {
		return err
	}
	lost := s.trouble(afterTaking)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.arrived = append(s.box.arrived, verify.Delivery{
		MessageID: message.Header.Get("Message-Id"), Recipient: s.to, At: time.Now(), Unanswered: lost != nil,
	})
	return lost
}

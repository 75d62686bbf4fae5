// Package login is the server's side of SASL: it leads the conversation in which a
// Kafka client proves who it is, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
//
// Invariants: PLAIN, which sends the password, is offered only where the server
// says that the connection is encrypted; a client learns that it is refused and
// not whether the user exists; nothing of a credential is in an error.
package login

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/credentials"
)

// Plain is the name of the mechanism that sends the password.
const Plain = "PLAIN"

// ErrRefused says that a client could not prove who it is.
var ErrRefused = errors.New("the credentials are not those of a user")

// Server knows who may log in. It may be used by several goroutines.
type Server struct {
	store      *credentials.Store
	mechanisms []string
	strangers  []byte // what is made up for strangers comes from it
}

// New makes a server for the users and API keys of a store. encrypted says that
// connections are. The error says that there is nobody who could log in.
func New(store *credentials.Store, encrypted bool) (*Server, error) {
	s := &Server{store: store, strangers: make([]byte, sha256.Size)}
	_, _ = rand.Read(s.strangers) // never fails
	if encrypted {
		s.mechanisms = append(s.mechanisms, Plain)
	}
	for _, mechanism := range []string{credentials.ScramSHA256, credentials.ScramSHA512} {
		if store.HasScram(mechanism) {
			s.mechanisms = append(s.mechanisms, mechanism)
		}
	}
	if len(s.mechanisms) == 0 {
		return nil, errors.New("nobody could log in: without TLS passwords are not taken as they are, and no user has a line for SCRAM: " +
			"make users' lines with `orderflow credential user`, or turn TLS on")
	}
	return s, nil
}

// unescaped undoes what SCRAM does to names (RFC 5802, section 5.1).
var unescaped = strings.NewReplacer("=2C", ",", "=3D", "=")

// find gives what is kept of a user's password. For strangers it is made up, the
// same each time, and nothing matches it.
func (s *Server) find(mechanism, name string) credentials.Scram {
	if stored, known := s.store.Scram(mechanism, name); known {
		return stored
	}
	made := s.store.ScramLike(mechanism)
	mac := hmac.New(sha256.New, s.strangers)
	mac.Write([]byte(name)) // never fails
	salt := mac.Sum(nil)
	made.Salt = salt[:min(len(salt), len(made.Salt))]
	made.StoredKey = make([]byte, len(made.StoredKey))
	_, _ = rand.Read(made.StoredKey) // never fails
	return made
}

// Mechanisms are those that clients may use.
func (s *Server) Mechanisms() []string { return s.mechanisms }

// Begin opens a conversation; false when the mechanism is not offered.
func (s *Server) Begin(mechanism string) (*Conversation, bool) {
	if !slices.Contains(s.mechanisms, mechanism) {
		return nil, false
	}
	return &Conversation{mechanism: mechanism, server: s}, true
}

// Conversation is one client's login.
type Conversation struct {
	mechanism string
	server    *Server
	scram     *scram // nil for PLAIN, and before the first message
	user      string
}

// Mechanism is the one that the client has chosen.
func (c *Conversation) Mechanism() string { return c.mechanism }

// User is who the client is, once a step has said that it is done.
func (c *Conversation) User() string { return c.user }

// Step takes a message of the client and gives the answer to it. done says that
// the client has proven who it is. The error is ErrRefused, or says what is wrong
// with the message; either way the conversation is over.
func (c *Conversation) Step(message []byte) (answer []byte, done bool, err error) {
	if c.mechanism == Plain {
		return nil, true, c.plain(message)
	}
	if c.scram == nil {
		c.scram = &scram{}
		text, err := c.scram.begin(string(message), func(name string) credentials.Scram { return c.server.find(c.mechanism, name) })
		return []byte(text), false, err
	}
	text, err := c.scram.end(string(message))
	if err != nil {
		return nil, false, err
	}
	c.user = c.scram.user
	return []byte(text), true, nil
}

// plain reads "authorization id NUL user NUL password" (RFC 4616). An API key is
// the password of a user of the key's name.
func (c *Conversation) plain(message []byte) error {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 || !utf8.Valid(message) {
		return errors.New("a message of PLAIN has three parts with a zero byte between")
	}
	as, name, password := string(parts[0]), string(parts[1]), string(parts[2])
	if name == "" || password == "" || as != "" && as != name {
		return ErrRefused
	}
	if !c.server.store.NamedKey(name, password) && !c.server.store.Password(name, password) {
		return ErrRefused
	}
	c.user = name
	return nil
}

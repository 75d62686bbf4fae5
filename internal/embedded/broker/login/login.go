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
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xdg-go/scram"

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
	scram      map[string]*scram.Server
}

// New makes a server for the users and API keys of a store. encrypted says that
// connections are. The error says that there is nobody who could log in.
func New(store *credentials.Store, encrypted bool) (*Server, error) {
	s := &Server{store: store, scram: map[string]*scram.Server{}}
	for mechanism, hash := range map[string]scram.HashGeneratorFcn{
		credentials.ScramSHA256: scram.SHA256, credentials.ScramSHA512: scram.SHA512,
	} {
		if !store.HasScram(mechanism) {
			continue
		}
		strangers := make([]byte, sha256.Size)
		_, _ = rand.Read(strangers) // never fails
		server, err := hash.NewServer(func(name string) (scram.StoredCredentials, error) {
			return lookUp(store, mechanism, name, strangers), nil
		})
		if err != nil {
			return nil, fmt.Errorf("setting up %s: %w", mechanism, err)
		}
		s.scram[mechanism] = server
		s.mechanisms = append(s.mechanisms, mechanism)
	}
	slices.Sort(s.mechanisms)
	if encrypted {
		s.mechanisms = append([]string{Plain}, s.mechanisms...)
	}
	if len(s.mechanisms) == 0 {
		return nil, errors.New("nobody could log in: without TLS passwords are not taken as they are, and no user has a line for SCRAM: " +
			"make users' lines with `orderflow credential user`, or turn TLS on")
	}
	return s, nil
}

// unescaped undoes what SCRAM does to names (RFC 5802, section 5.1).
var unescaped = strings.NewReplacer("=2C", ",", "=3D", "=")

// lookUp gives what is kept of a user's password. For strangers it is made up, the
// same each time, and nothing matches it.
func lookUp(store *credentials.Store, mechanism, name string, strangers []byte) scram.StoredCredentials {
	name = unescaped.Replace(name)
	if stored, known := store.Scram(mechanism, name); known {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(stored.Salt), Iters: stored.Iterations},
			StoredKey:  stored.StoredKey, ServerKey: stored.ServerKey,
		}
	}
	mac := hmac.New(sha256.New, strangers)
	mac.Write([]byte(name)) // never fails
	salt, likely := mac.Sum(nil), store.ScramLike(mechanism)
	never := make([]byte, len(likely.StoredKey))
	_, _ = rand.Read(never) // never fails
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(salt[:min(len(salt), len(likely.Salt))]), Iters: likely.Iterations},
		StoredKey:  never, ServerKey: never,
	}
}

// Mechanisms are those that clients may use.
func (s *Server) Mechanisms() []string { return s.mechanisms }

// Begin opens a conversation; false when the mechanism is not offered.
func (s *Server) Begin(mechanism string) (*Conversation, bool) {
	if !slices.Contains(s.mechanisms, mechanism) {
		return nil, false
	}
	c := &Conversation{mechanism: mechanism, server: s}
	if server := s.scram[mechanism]; server != nil {
		c.scram = server.NewConversation()
	}
	return c, true
}

// Conversation is one client's login.
type Conversation struct {
	mechanism string
	server    *Server
	scram     *scram.ServerConversation // nil for PLAIN
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
	if c.scram == nil {
		return nil, true, c.plain(message)
	}
	text, err := c.scram.Step(string(message))
	if err != nil {
		// The library's errors repeat the message.
		return nil, false, ErrRefused
	}
	if id := c.scram.AuthzID(); id != "" && id != c.scram.Username() {
		return nil, false, ErrRefused
	}
	if c.scram.Valid() {
		c.user = unescaped.Replace(c.scram.Username())
		return []byte(text), true, nil
	}
	return []byte(text), false, nil
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

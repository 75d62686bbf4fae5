package credentials

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The SCRAM mechanisms, by their SASL names (RFC 7677, and Kafka's for SHA-512).
const (
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

const (
	// scramIterations is the most that Kafka's own tools accept.
	scramIterations = 16384
	// minScramIterations is what Kafka's clients ask for at least.
	minScramIterations = 4096
	// maxScramIterations bounds what a login costs the client.
	maxScramIterations = 10_000_000
	scramSaltBytes     = 16
)

// Scram is what a server keeps of a password for SCRAM (RFC 5802). In a file it is
// "<mechanism>$<iterations>:<salt>$<stored key>:<server key>", as PostgreSQL keeps
// it, the last three in base64.
type Scram struct {
	Mechanism  string
	Iterations int
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

// Scram gives what is kept of a user's password for a mechanism.
func (s *Store) Scram(mechanism, name string) (Scram, bool) {
	stored, known := s.scram[mechanism][name]
	return stored, known
}

// HasScram reports whether any user can log in with a mechanism.
func (s *Store) HasScram(mechanism string) bool { return len(s.scram[mechanism]) > 0 }

// ScramLike gives the user's of a mechanism whose name comes first, for a server
// that has to show strangers something that looks like it. It is zero when no user
// can log in with the mechanism.
func (s *Store) ScramLike(mechanism string) Scram {
	users := s.scram[mechanism]
	if len(users) == 0 {
		return Scram{}
	}
	return users[slices.Min(slices.Collect(maps.Keys(users)))]
}

// Hash is the mechanism's hash function.
func (s Scram) Hash() func() hash.Hash { return hashOf(s.Mechanism) }

func hashOf(mechanism string) func() hash.Hash {
	if mechanism == ScramSHA256 {
		return sha256.New
	}
	return sha512.New
}

func newScram(mechanism, password string, salt []byte, iterations int) (Scram, error) {
	h := hashOf(mechanism)
	salted, err := pbkdf2.Key(h, password, salt, iterations, h().Size())
	if err != nil {
		return Scram{}, fmt.Errorf("hashing the password: %w", err)
	}
	keyed := func(text string) []byte {
		mac := hmac.New(h, salted)
		mac.Write([]byte(text)) // never fails
		return mac.Sum(nil)
	}
	stored := h()
	stored.Write(keyed("Client Key")) // never fails
	return Scram{mechanism, iterations, salt, stored.Sum(nil), keyed("Server Key")}, nil
}

// proves reports whether this was made of the password.
func (s Scram) proves(password string) bool {
	same, err := newScram(s.Mechanism, password, s.Salt, s.Iterations)
	return err == nil && subtle.ConstantTimeCompare(same.StoredKey, s.StoredKey) == 1
}

func (s Scram) String() string {
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", s.Mechanism, s.Iterations, text(s.Salt), text(s.StoredKey), text(s.ServerKey))
}

var errScram = errors.New("the hash of a SCRAM user is MECHANISM$iterations:salt$storedkey:serverkey, as `orderflow credential user` makes it")

func parseScram(mechanism, text string) (Scram, error) {
	head, keys, found := strings.Cut(text, "$")
	iterations, salt, ok := strings.Cut(head, ":")
	stored, server, both := strings.Cut(keys, ":")
	if !found || !ok || !both {
		return Scram{}, errScram
	}
	s := Scram{Mechanism: mechanism}
	var err error
	if s.Iterations, err = strconv.Atoi(iterations); err != nil {
		return Scram{}, errScram
	}
	if s.Iterations < minScramIterations || s.Iterations > maxScramIterations {
		return Scram{}, fmt.Errorf("the hash of a SCRAM user has %d to %d iterations", minScramIterations, maxScramIterations)
	}
	for _, part := range []struct {
		text string
		to   *[]byte
		size int
	}{{salt, &s.Salt, 0}, {stored, &s.StoredKey, hashOf(mechanism)().Size()}, {server, &s.ServerKey, hashOf(mechanism)().Size()}} {
		if *part.to, err = base64.StdEncoding.DecodeString(part.text); err != nil || len(*part.to) == 0 || part.size > 0 && len(*part.to) != part.size {
			return Scram{}, errScram
		}
	}
	return s, nil
}

func scramLine(mechanism, name, password string) (string, error) {
	salt := make([]byte, scramSaltBytes)
	_, _ = rand.Read(salt) // never fails
	stored, err := newScram(mechanism, password, salt, scramIterations)
	if err != nil {
		return "", err
	}
	return name + ":" + stored.String(), nil
}

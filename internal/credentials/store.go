package credentials

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// Store is the users and API keys that a server accepts, kept as hashes.
type Store struct {
	passwords map[string][]byte            // bcrypt hashes by user name
	scram     map[string]map[string]Scram  // by mechanism and user name
	keys      map[[sha256.Size]byte]string // names of API keys by hash

	mu sync.Mutex
	// proven has the hash of the password that each user was let in with: bcrypt is
	// slow on purpose, too slow for every request.
	proven map[string][sha256.Size]byte
}

// Load reads a file of credentials, a line each: "name:$2y$..." is a user with a
// bcrypt hash of the password, as `htpasswd -B` writes it, for passwords that are
// sent to the server; "name:SCRAM-SHA-256$..." and "name:SCRAM-SHA-512$..." (see
// [Scram]) are a user for SCRAM and for passwords that are sent;
// "name:sha256:<64 hex digits>" is an API key by its hash. A name has one line, or
// one of each of the first three kinds. Empty lines and lines that begin with # are
// skipped. An error names the line and repeats nothing of it.
func Load(path string) (*Store, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	s, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials %s: %w", path, err)
	}
	return s, nil
}

func parse(text []byte) (*Store, error) {
	s := &Store{
		passwords: map[string][]byte{}, keys: map[[sha256.Size]byte]string{}, proven: map[string][sha256.Size]byte{},
		scram: map[string]map[string]Scram{ScramSHA256: {}, ScramSHA512: {}},
	}
	seen := map[string]map[string]bool{} // kinds of lines by name
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, found := strings.Cut(line, ":")
		if !found || name == "" {
			return nil, fmt.Errorf("line %d: expected name:hash", number)
		}
		kind, err := s.add(name, hash)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		kinds := seen[name]
		if kinds[kind] || kinds[keyLine] || kind == keyLine && len(kinds) > 0 {
			return nil, fmt.Errorf("line %d: the name stands in an earlier line too", number)
		}
		if kinds == nil {
			kinds = map[string]bool{}
			seen[name] = kinds
		}
		kinds[kind] = true
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return nil, errors.New("there are none: nobody could use the server")
	}
	return s, nil
}

// The kinds of lines beside the SCRAM mechanisms.
const (
	keyLine      = "key"
	passwordLine = "password"
)

// add takes the hash of a name and gives its kind.
func (s *Store) add(name, hash string) (kind string, err error) {
	if digits, isKey := strings.CutPrefix(hash, "sha256:"); isKey {
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size {
			return "", errors.New("an API key's hash is sha256: and 64 hexadecimal digits")
		}
		s.keys[[sha256.Size]byte(sum)] = name
		return keyLine, nil
	}
	if mechanism, verifier, isScram := strings.Cut(hash, "$"); isScram && s.scram[mechanism] != nil {
		stored, err := parseScram(mechanism, verifier)
		if err != nil {
			return "", err
		}
		s.scram[mechanism][name] = stored
		return mechanism, nil
	}
	if _, err := bcrypt.Cost([]byte(hash)); err != nil {
		return "", errors.New("not a bcrypt hash, as `htpasswd -B` or `orderflow credential` makes it, nor that of SCRAM, nor sha256: and digits")
	}
	s.passwords[name] = []byte(hash)
	return passwordLine, nil
}

// Key reports whether there is such an API key.
func (s *Store) Key(key string) bool {
	_, known := s.keys[sha256.Sum256([]byte(key))]
	return known
}

// NamedKey reports whether there is such an API key of that name.
func (s *Store) NamedKey(name, key string) bool {
	owner, known := s.keys[sha256.Sum256([]byte(key))]
	return known && owner == name
}

// nobody is compared with when a user is unknown, so that the answer takes as long
// as for a known one.
var nobody = []byte("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")

// Password reports whether a user has that password.
func (s *Store) Password(name, password string) bool {
	sum := sha256.Sum256([]byte(password))
	s.mu.Lock()
	proven, ok := s.proven[name]
	s.mu.Unlock()
	if ok && subtle.ConstantTimeCompare(proven[:], sum[:]) == 1 {
		return true
	}
	if !s.verify(name, password) {
		return false
	}
	s.mu.Lock()
	s.proven[name] = sum
	s.mu.Unlock()
	return true
}

func (s *Store) verify(name, password string) bool {
	if hash, known := s.passwords[name]; known {
		return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil
	}
	for _, mechanism := range []string{ScramSHA512, ScramSHA256} {
		if stored, known := s.scram[mechanism][name]; known {
			return stored.proves(password)
		}
	}
	_ = bcrypt.CompareHashAndPassword(nobody, []byte(password)) // for the time that it takes
	return false
}

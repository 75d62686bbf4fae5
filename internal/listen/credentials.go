package listen

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// Guard says who may use a server. The zero Guard lets everybody in.
type Guard struct {
	// Credentials are those that are accepted; nil lets everybody in.
	Credentials *Credentials
	// Open reports the requests that need no credentials, such as health checks.
	// Nil means none.
	Open func(*http.Request) bool
	// Refuse writes the body of an answer with status 401, whose WWW-Authenticate
	// header is already set. Nil writes a line of text.
	Refuse http.HandlerFunc
}

func (g Guard) protect(next http.Handler) http.Handler {
	if g.Credentials == nil {
		return next
	}
	refuse := g.Refuse
	if refuse == nil {
		refuse = func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "This server needs credentials: basic authentication or an API key.", http.StatusUnauthorized)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (g.Open != nil && g.Open(r)) || g.Credentials.accept(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("WWW-Authenticate", `Basic realm="orderflow", charset="UTF-8"`)
		w.Header().Add("WWW-Authenticate", `Bearer realm="orderflow"`)
		refuse(w, r)
	})
}

// Credentials are the users and API keys that a server accepts, kept as hashes.
type Credentials struct {
	passwords map[string][]byte            // bcrypt hashes by user name
	keys      map[[sha256.Size]byte]string // names of API keys by hash

	mu sync.Mutex
	// proven has the hash of the password that each user was let in with: bcrypt is
	// slow on purpose, too slow for every request.
	proven map[string][sha256.Size]byte
}

// LoadCredentials reads a file of credentials, a line each: "name:$2y$..." is a
// user with a bcrypt hash of the password, as `htpasswd -B` writes it, for basic
// authentication; "name:sha256:<64 hex digits>" is an API key by its hash, sent as
// "Authorization: Bearer KEY" or "X-API-Key: KEY". Empty lines and lines that begin
// with # are skipped. An error names the line and repeats nothing of it.
func LoadCredentials(path string) (*Credentials, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials: %w", err)
	}
	c, err := parseCredentials(text)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials %s: %w", path, err)
	}
	return c, nil
}

func parseCredentials(text []byte) (*Credentials, error) {
	c := &Credentials{passwords: map[string][]byte{}, keys: map[[sha256.Size]byte]string{}, proven: map[string][sha256.Size]byte{}}
	names := map[string]bool{}
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
		if names[name] {
			return nil, fmt.Errorf("line %d: the name stands in an earlier line too", number)
		}
		names[name] = true
		if digits, isKey := strings.CutPrefix(hash, "sha256:"); isKey {
			sum, err := hex.DecodeString(digits)
			if err != nil || len(sum) != sha256.Size {
				return nil, fmt.Errorf("line %d: an API key's hash is sha256: and 64 hexadecimal digits", number)
			}
			c.keys[[sha256.Size]byte(sum)] = name
			continue
		}
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			return nil, fmt.Errorf("line %d: not a bcrypt hash, as `htpasswd -B` or `orderflow credential` makes it, nor sha256: and digits", number)
		}
		c.passwords[name] = []byte(hash)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("there are none: nobody could use the server")
	}
	return c, nil
}

func (c *Credentials) accept(r *http.Request) bool {
	if name, password, ok := r.BasicAuth(); ok {
		return c.acceptPassword(name, password)
	}
	key := r.Header.Get("X-API-Key")
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		key = value
	}
	if key == "" {
		return false
	}
	_, known := c.keys[sha256.Sum256([]byte(key))]
	return known
}

// nobody is compared with when a user is unknown, so that the answer takes as long
// as for a known one.
var nobody = []byte("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")

func (c *Credentials) acceptPassword(name, password string) bool {
	sum := sha256.Sum256([]byte(password))
	c.mu.Lock()
	proven, ok := c.proven[name]
	c.mu.Unlock()
	if ok && subtle.ConstantTimeCompare(proven[:], sum[:]) == 1 {
		return true
	}
	hash, known := c.passwords[name]
	if !known {
		hash = nobody
	}
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil || !known {
		return false
	}
	c.mu.Lock()
	c.proven[name] = sum
	c.mu.Unlock()
	return true
}

// NewAPIKey makes a random API key of 256 bits and the line that a file of
// credentials holds of it.
func NewAPIKey(name string) (key, line string, err error) {
	if err := checkName(name); err != nil {
		return "", "", err
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	key = base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(key))
	return key, name + ":sha256:" + hex.EncodeToString(sum[:]), nil
}

// PasswordLine is the line that a file of credentials holds of a user. A password
// has 1 to 72 bytes, which is what bcrypt takes.
func PasswordLine(name, password string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if password == "" || len(password) > 72 {
		return "", errors.New("a password has 1 to 72 bytes")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("hashing the password: %w", err)
	}
	return name + ":" + string(hash), nil
}

func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, ":\n\r") || strings.HasPrefix(name, "#") || strings.TrimSpace(name) != name {
		return fmt.Errorf("%q can't be a name here: it must not be empty, begin with #, or hold a colon, a line break or spaces at its ends", name)
	}
	return nil
}

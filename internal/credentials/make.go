package credentials

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

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

// UserLines are the lines that a file of credentials holds of a user: one for
// passwords that are sent and one for each SCRAM mechanism. A password has 1 to 72
// bytes, which is what bcrypt takes.
func UserLines(name, password string) ([]string, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if password == "" || len(password) > 72 {
		return nil, errors.New("a password has 1 to 72 bytes")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return nil, fmt.Errorf("hashing the password: %w", err)
	}
	lines := []string{name + ":" + string(hash)}
	for _, mechanism := range []string{ScramSHA256, ScramSHA512} {
		line, err := scramLine(mechanism, name, password)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, ":\n\r") || strings.HasPrefix(name, "#") || strings.TrimSpace(name) != name {
		return fmt.Errorf("%q can't be a name here: it must not be empty, begin with #, or hold a colon, a line break or spaces at its ends", name)
	}
	return nil
}

package login

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xdg "github.com/xdg-go/scram"

	"github.com/orderflow/orderflow/internal/credentials"
)

const password = "s3cret-of-anna"

func store(t *testing.T, lines ...string) *credentials.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	store, err := credentials.Load(file)
	require.NoError(t, err)
	return store
}

func userLines(t *testing.T, name string) []string {
	t.Helper()
	lines, err := credentials.UserLines(name, password)
	require.NoError(t, err)
	return lines
}

func TestMechanismsThatAreOffered(t *testing.T) {
	lines := userLines(t, "anna")
	for _, c := range []struct {
		name      string
		lines     []string
		encrypted bool
		want      []string
	}{
		{"all", lines, true, []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}},
		{"in clear text", lines, false, []string{"SCRAM-SHA-256", "SCRAM-SHA-512"}},
		{"bcrypt alone", lines[:1], true, []string{"PLAIN"}},
		{"one of SCRAM", lines[2:], false, []string{"SCRAM-SHA-512"}},
	} {
		s, err := New(store(t, c.lines...), c.encrypted)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, s.Mechanisms(), c.name)
		_, known := s.Begin("GSSAPI")
		assert.False(t, known)
	}
	_, err := New(store(t, lines[0]), false)
	require.ErrorContains(t, err, "nobody could log in")
}

func TestPlain(t *testing.T) {
	key, keyLine, err := credentials.NewAPIKey("till")
	require.NoError(t, err)
	s, err := New(store(t, append(userLines(t, "anna"), keyLine)...), true)
	require.NoError(t, err)
	for message, user := range map[string]string{
		"\x00anna\x00" + password:          "anna",
		"anna\x00anna\x00" + password:      "anna",
		"\x00till\x00" + key:               "till",
		"bob\x00anna\x00" + password:       "",
		"\x00anna\x00wrong":                "",
		"\x00bob\x00" + password:           "",
		"\x00anna\x00" + key:               "",
		"\x00anna\x00":                     "",
		"\x00\x00" + password:              "",
		"anna":                             "",
		"":                                 "",
		"\x00anna\x00" + password + "\x00": "",
		"\x00anna\x00\xff":                 "",
	} {
		c, known := s.Begin(Plain)
		require.True(t, known)
		_, done, err := c.Step([]byte(message))
		if user == "" {
			require.Error(t, err, "%q", message)
			assert.NotContains(t, err.Error(), password)
			continue
		}
		require.NoError(t, err, "%q", message)
		assert.True(t, done)
		assert.Equal(t, user, c.User())
	}
}

func TestScram(t *testing.T) {
	s, err := New(store(t, append(userLines(t, "anna"), userLines(t, "a=b,c")...)...), false)
	require.NoError(t, err)
	for mechanism, hash := range map[string]xdg.HashGeneratorFcn{"SCRAM-SHA-256": xdg.SHA256, "SCRAM-SHA-512": xdg.SHA512} {
		for _, c := range []struct {
			name, password, as string
			ok                 bool
		}{
			{"anna", password, "", true},
			{"a=b,c", password, "", true},
			{"anna", password, "anna", true},
			{"anna", password, "bob", false},
			{"anna", "wrong", "", false},
			{"bob", password, "", false},
		} {
			client, err := hash.NewClientUnprepped(c.name, c.password, c.as)
			require.NoError(t, err)
			in := client.NewConversation()
			out, known := s.Begin(mechanism)
			require.True(t, known)
			first, err := in.Step("")
			require.NoError(t, err)
			answer, done, err := out.Step([]byte(first))
			if c.as == "bob" {
				require.ErrorIs(t, err, ErrRefused)
				continue
			}
			require.NoError(t, err, "a stranger is not told from a user yet")
			require.False(t, done)
			proof, err := in.Step(string(answer))
			require.NoError(t, err)
			answer, done, err = out.Step([]byte(proof))
			if !c.ok {
				require.ErrorIs(t, err, ErrRefused)
				continue
			}
			require.NoError(t, err)
			require.True(t, done)
			assert.Equal(t, c.name, out.User())
			_, err = in.Step(string(answer))
			require.NoError(t, err)
			assert.True(t, in.Valid(), "the server has proven who it is, too")
		}
	}
}

// librdkafka before 2.2 puts its own part of the nonce before the whole nonce.
func TestScramWithARepeatedNonce(t *testing.T) {
	s, err := New(store(t, userLines(t, "anna")...), false)
	require.NoError(t, err)
	client, err := xdg.SHA512.NewClientUnprepped("anna", password, "")
	require.NoError(t, err)
	for _, c := range []struct {
		before string
		ok     bool
	}{{"", true}, {"mine", true}, {"", false}} {
		out, _ := s.Begin("SCRAM-SHA-512")
		answer, _, err := out.Step([]byte("n,,n=anna,r=mine"))
		require.NoError(t, err)
		parts := strings.Split(string(answer), ",")
		nonce := strings.TrimPrefix(parts[0], "r=")
		require.True(t, strings.HasPrefix(nonce, "mine"))
		signed := "c=biws,r=" + c.before + nonce
		if !c.ok {
			signed = "c=biws,r=mine"
		}
		salt, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(parts[1], "s="))
		require.NoError(t, err)
		factors := xdg.KeyFactors{Salt: string(salt), Iters: 16384}
		stored, err := client.GetStoredCredentialsWithError(factors)
		require.NoError(t, err)
		salted, err := pbkdf2.Key(sha512.New, password, salt, factors.Iters, sha512.Size)
		require.NoError(t, err)
		sign := func(key []byte, text string) []byte {
			mac := hmac.New(sha512.New, key)
			mac.Write([]byte(text))
			return mac.Sum(nil)
		}
		proof := sign(salted, "Client Key")
		subtle.XORBytes(proof, proof, sign(stored.StoredKey, "n=anna,r=mine,"+string(answer)+","+signed))
		_, done, err := out.Step([]byte(signed + ",p=" + base64.StdEncoding.EncodeToString(proof)))
		assert.Equal(t, c.ok, done)
		assert.Equal(t, c.ok, err == nil)
	}
}

func FuzzConversations(f *testing.F) {
	lines, err := credentials.UserLines("anna", password)
	require.NoError(f, err)
	file := filepath.Join(f.TempDir(), "credentials")
	require.NoError(f, os.WriteFile(file, []byte(strings.Join(lines[1:], "\n")), 0o600)) // bcrypt is slow
	users, err := credentials.Load(file)
	require.NoError(f, err)
	s, err := New(users, true)
	require.NoError(f, err)
	f.Add("PLAIN", "\x00anna\x00x", "")
	f.Add("SCRAM-SHA-256", "n,,n=anna,r=abc", "c=biws,r=abc,p=AAAA")
	f.Add("SCRAM-SHA-512", "p=tls-unique,,n=anna,r=abc", "")
	f.Fuzz(func(t *testing.T, mechanism, first, second string) {
		c, known := s.Begin(mechanism)
		if !known {
			return
		}
		if _, done, err := c.Step([]byte(first)); err != nil || done {
			require.False(t, done && err == nil && !strings.Contains(first, password), "a stranger was let in")
			return
		}
		_, done, err := c.Step([]byte(second))
		require.False(t, done && err == nil, "a stranger was let in")
	})
}

package credentials

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func load(t *testing.T, lines ...string) *Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte("# who may\n\n"+strings.Join(lines, "\n")+"\n"), 0o600))
	store, err := Load(file)
	require.NoError(t, err)
	return store
}

func TestPasswordsAndKeys(t *testing.T) {
	key, keyLine, err := NewAPIKey("till")
	require.NoError(t, err)
	anna, err := UserLines("anna", "s3cret:with colon")
	require.NoError(t, err)
	require.Len(t, anna, 3)
	for name, s := range map[string]*Store{
		"all lines": load(t, append(anna, keyLine)...), "bcrypt": load(t, anna[0], keyLine),
		"SCRAM-SHA-256": load(t, anna[1], keyLine), "SCRAM-SHA-512": load(t, keyLine, anna[2]),
	} {
		t.Run(name, func(t *testing.T) {
			assert.True(t, s.Password("anna", "s3cret:with colon"))
			assert.True(t, s.Password("anna", "s3cret:with colon"), "again")
			assert.False(t, s.Password("anna", "wrong"))
			assert.False(t, s.Password("ann", "s3cret:with colon"))
			assert.False(t, s.Password("till", key), "a key is no password")
			assert.True(t, s.Key(key))
			assert.False(t, s.Key(key+"x"))
			assert.False(t, s.Key(keyLine))
			assert.True(t, s.NamedKey("till", key))
			assert.False(t, s.NamedKey("anna", key))
		})
	}
}

func TestScramIsKeptAsRFC7677Says(t *testing.T) {
	// The example of RFC 7677, section 3: user "user", password "pencil".
	stored, err := newScram(ScramSHA256, "pencil", []byte("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"), 4096)
	require.NoError(t, err)
	assert.Equal(t, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", stored.String())
	s := load(t, "user:"+stored.String())
	kept, known := s.Scram(ScramSHA256, "user")
	require.True(t, known)
	assert.Equal(t, stored, kept)
	assert.True(t, s.HasScram(ScramSHA256))
	assert.False(t, s.HasScram(ScramSHA512))
	_, known = s.Scram(ScramSHA512, "user")
	assert.False(t, known)
}

func TestCredentialsThatCantBeUsed(t *testing.T) {
	const bcryptHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	keyHash := "sha256:" + strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"":                                      "there are none",
		"# nobody\n":                            "there are none",
		"anna\n":                                "line 1: expected name:hash",
		":" + bcryptHash:                        "line 1: expected name:hash",
		"\nanna:plain-secret":                   "line 2: not a bcrypt hash",
		"a:" + bcryptHash + "\na:" + bcryptHash: "line 2: the name stands in an earlier line",
		"a:" + bcryptHash + "\na:" + keyHash:    "line 2: the name stands in an earlier line",
		"a:" + keyHash + "\na:" + bcryptHash:    "line 2: the name stands in an earlier line",
		"till:sha256:12ab":                      "line 1: an API key's hash",
		"a:SCRAM-SHA-256$plain-secret":          "line 1: the hash of a SCRAM user is",
		"a:SCRAM-SHA-256$many:AA==$AA==:AA==":   "line 1: the hash of a SCRAM user is",
		"a:SCRAM-SHA-512$100:AA==$AA==:AA==":    "line 1: the hash of a SCRAM user has 4096 to",
		"a:SCRAM-SHA-256$4096:AA==$AA==:AA==":   "line 1: the hash of a SCRAM user is",
		"a:SCRAM-SHA-1$4096:AA==$AA==:AA==":     "line 1: not a bcrypt hash",
	} {
		_, err := parse([]byte(text))
		require.ErrorContains(t, err, want, text)
		assert.NotContains(t, err.Error(), "plain-secret")
	}
	_, err := Load(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "reading the credentials")
	for _, c := range [][2]string{{"a:b", "x"}, {"a", ""}, {"a", strings.Repeat("x", 73)}} {
		_, err = UserLines(c[0], c[1])
		require.Error(t, err)
	}
	_, _, err = NewAPIKey("#a")
	require.Error(t, err)
}

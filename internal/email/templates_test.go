package email

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTemplatesEscapeForHTMLOnly(t *testing.T) {
	templates, err := LoadTemplates("")
	require.NoError(t, err)
	c, err := templates.render(Data{OrderID: "o\r\nBcc: x@y <b>", Name: "<script>Ann</script>", Price: 1.005, Amount: 2})
	require.NoError(t, err)
	assert.Equal(t, "Your order o Bcc: x@y <b> is paid", c.subject, "a subject is one line")
	assert.Contains(t, c.text, "Dear <script>Ann</script>,")
	assert.Contains(t, c.html, "Dear &lt;script&gt;Ann&lt;/script&gt;,")
}

func TestTemplatesCanBeEdited(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "templates")
	written, err := WriteTemplates(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{SubjectFile, TextFile, HTMLFile}, written)
	path := filepath.Join(dir, SubjectFile)
	require.NoError(t, os.WriteFile(path, []byte("{{.FirstName}}, {{money .Amount}} {{.Currency}} arrived\n"), 0o600))
	written, err = WriteTemplates(dir)
	require.NoError(t, err)
	assert.Empty(t, written, "what was edited stays")
	require.NoError(t, os.Remove(filepath.Join(dir, HTMLFile)))

	templates, err := LoadTemplates(dir)
	require.NoError(t, err)
	c, err := templates.render(Data{FirstName: "Ann", Amount: 19, Currency: "EUR"})
	require.NoError(t, err)
	assert.Equal(t, "Ann, 19.00 EUR arrived", c.subject)
	assert.Contains(t, c.html, "<p>Dear", "the built-in file stands in")
}

func TestWrongTemplatesAreRefusedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"syntax":       {TextFile, "{{.OrderID", TextFile},
		"unknown name": {HTMLFile, "{{.Colour}}", "Colour"},
		"other file":   {"subjekt.txt", "x", "subjekt.txt is no template"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600))
			_, err := LoadTemplates(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := LoadTemplates(filepath.Join(t.TempDir(), "nothing"))
	require.ErrorContains(t, err, "loading the e-mail templates")
}

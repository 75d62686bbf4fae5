package restpath

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPaths(t *testing.T) {
	for path, want := range map[string]struct {
		pattern string
		vars    []string
		fits    bool
	}{
		"/subjects":                    {"subjects", nil, true},
		"/subjects/":                   {"subjects", nil, true},
		"/subjects/a%2Fb%20c/versions": {"subjects/*/versions", []string{"a/b c"}, true},
		"/subjects//versions":          {"subjects/*/versions", nil, false},
		"/subjects/a/versions/1":       {"subjects/*/versions", nil, false},
		"/subjects/a/version":          {"subjects/*/versions", nil, false},
		"/connectors/*/tasks/0/status": {"connectors/*/tasks/*/status", []string{"*", "0"}, true},
		"/":                            {"", nil, true},
	} {
		u, err := url.Parse("http://localhost" + path)
		require.NoError(t, err)
		segments, err := Segments(u)
		require.NoError(t, err)
		vars, fits := Match(want.pattern, segments)
		assert.Equal(t, want.fits, fits, path)
		assert.Equal(t, want.vars, vars, path)
	}
	_, err := Segments(&url.URL{Path: "a%zz", RawPath: "a%zz"})
	require.NoError(t, err, "what is not escaped is taken as it is")
}

package ksql_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestSubstitute(t *testing.T) {
	lookup := func(name string) (string, error) {
		if name == "gone" {
			return "", errors.New("it is gone")
		}
		return "v_" + name, nil
	}
	tests := []struct{ text, want string }{
		{"no variable $ { } $x", "no variable $ { } $x"},
		{"${a}'${b}'`${c}`\"${_d1}\"", "v_a'v_b'`v_c`\"v__d1\""},
		{"/* ${gone} */ ${a} -- ${gone}\n${b}", "/* ${gone} */ v_a -- ${gone}\nv_b"},
		{"'-- ${a}' '/* ${b} */'", "'-- v_a' '/* v_b */'"},
		{"$${a} ${1} ${} ${a-b} ${a", "$${a} ${1} ${} ${a-b} ${a"},
	}
	for _, test := range tests {
		got, err := ksql.Substitute(test.text, lookup)
		require.NoError(t, err)
		assert.Equal(t, test.want, got)
	}
	_, err := ksql.Substitute("é ${gone}", lookup)
	var variable *ksql.VariableError
	require.ErrorAs(t, err, &variable)
	assert.Equal(t, 3, variable.Offset)
	assert.EqualError(t, err, "the variable gone: it is gone")

	for _, text := range []string{"C${a}", "${a}1", "${a}${b}", "'x' C${a} 'y'", "9${a}"} {
		_, err := ksql.Substitute(text, lookup)
		assert.ErrorContains(t, err, "only a part of one", text)
	}
	got, err := ksql.Substitute("'C${a}1' `x${a}y` ${a}.${b} (${a})", lookup)
	require.NoError(t, err)
	assert.Equal(t, "'Cv_a1' `xv_ay` v_a.v_b (v_a)", got)
}

func TestSubstituteTakesWholeTokensOnly(t *testing.T) {
	for value, fits := range map[string]bool{
		"a": true, "A_1@": true, "`a`": true, `"A"`: true, "12": true, "-1.5e3": true, ".5": true, "TRUE": true, "'it''s'": true, "''": true,
		"": false, "a b": false, "1; DROP STREAM s": false, "'a' OR 'b'": false, "'": false, "a-b": false, "`a b`": false, "@a": false, "1a": false, "--": false,
	} {
		got, err := ksql.Substitute("SELECT ${v};", func(string) (string, error) { return value, nil })
		if !fits {
			require.ErrorContains(t, err, "the variable v: outside of quotes", value)
			continue
		}
		require.NoError(t, err, value)
		assert.Equal(t, "SELECT "+value+";", got)
	}
	got, err := ksql.Substitute("SELECT '${v}', `${v}`;", func(string) (string, error) { return "it's; --", nil })
	require.NoError(t, err)
	assert.Equal(t, "SELECT 'it''s; --', `it's; --`;", got)
	got, err = ksql.Substitute("SELECT `${v}`, \"${v}\";", func(string) (string, error) { return "a`b\"c", nil })
	require.NoError(t, err)
	assert.Equal(t, "SELECT `a``b\"c`, \"a`b\"\"c\";", got)
}

func TestSessionUnescapes(t *testing.T) {
	for unescape, want := range map[bool]string{false: "SELECT 'a$${v}b', '$${x}', 'w' /* $${v} */;", true: "SELECT 'a${v}b', '${x}', 'w' /* $${v} */;"} {
		session := ksql.Session{Unescape: unescape}
		_, _, err := session.Prepare("DEFINE v = 'w';")
		require.NoError(t, err)
		got, _, err := session.Prepare("SELECT 'a$${v}b', '$${x}', '${v}' /* $${v} */;")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestSession(t *testing.T) {
	var session ksql.Session
	for _, statement := range []string{
		"SET 'a' = 'x''y';", "set'b'='2';", "UNSET /* it */ 'b';", "DEFINE v = 'w';", "SET 'c' = '${v}';", "DEFINE u = '1';", "UNDEFINE u;",
	} {
		_, handled, err := session.Prepare(statement)
		require.NoError(t, err, statement)
		assert.True(t, handled, statement)
	}
	assert.Equal(t, map[string]string{"a": "x'y", "c": "w"}, session.Properties())
	assert.Equal(t, map[string]string{"v": "w"}, session.Variables())
	text, handled, err := session.Prepare("SELECT ${v};")
	require.NoError(t, err)
	assert.False(t, handled)
	assert.Equal(t, "SELECT w;", text)
	_, _, err = session.Prepare("SELECT ${u};")
	require.ErrorIs(t, err, ksql.ErrUndefined)
	assert.Equal(t, "CREATE", ksql.Keyword("/* x */ create stream"))
}

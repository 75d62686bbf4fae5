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
		return "<" + name + ">", nil
	}
	tests := []struct{ text, want string }{
		{"no variable $ { } $x", "no variable $ { } $x"},
		{"${a}'${b}'`${c}`\"${_d1}\"", "<a>'<b>'`<c>`\"<_d1>\""},
		{"/* ${gone} */ ${a} -- ${gone}\n${b}", "/* ${gone} */ <a> -- ${gone}\n<b>"},
		{"'-- ${a}' '/* ${b} */'", "'-- <a>' '/* <b> */'"},
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
	assert.Equal(t, "'C<a>1' `x<a>y` <a>.<b> (<a>)", got)
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

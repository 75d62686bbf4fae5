package ksql_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name, sql string
		want      []ksql.Statement
	}{
		{"nothing", "", nil},
		{"blanks and comments", " \n-- only; this\n/* and ; this */ \n", nil},
		{"two", "A 1;\n  B 2;", []ksql.Statement{{Text: "A 1;", Line: 1, Col: 1}, {Text: "B 2;", Line: 2, Col: 3, Offset: 7}}},
		{"string", "A 'x;''y;';B;", []ksql.Statement{{Text: "A 'x;''y;';", Line: 1, Col: 1}, {Text: "B;", Line: 1, Col: 12, Offset: 11}}},
		{"quoted identifiers", "A `x;``y`, \"z;\"\"\";", []ksql.Statement{{Text: "A `x;``y`, \"z;\"\"\";", Line: 1, Col: 1}}},
		{"comments inside", "A -- it's;\n B /* ' ; */ C;", []ksql.Statement{{Text: "A -- it's;\n B /* ' ; */ C;", Line: 1, Col: 1}}},
		{"comment before", "-- one\nA;-- two", []ksql.Statement{{Text: "A;", Line: 2, Col: 1, Offset: 7}}},
		{"comment marks in a string", "A '--' '/*';B;", []ksql.Statement{{Text: "A '--' '/*';", Line: 1, Col: 1}, {Text: "B;", Line: 1, Col: 13, Offset: 12}}},
		{"semicolon alone", ";A;", []ksql.Statement{{Text: ";", Line: 1, Col: 1}, {Text: "A;", Line: 1, Col: 2, Offset: 1}}},
		{"columns count characters", "'äö€';B;", []ksql.Statement{{Text: "'äö€';", Line: 1, Col: 1}, {Text: "B;", Line: 1, Col: 7, Offset: 10}}},
		{"byte order mark, line ends of Windows", "\ufeffA;\r\nB;\r\n", []ksql.Statement{{Text: "A;", Line: 1, Col: 2, Offset: 3}, {Text: "B;", Line: 2, Col: 1, Offset: 7}}},
		{"variables", "A ${x};", []ksql.Statement{{Text: "A ${x};", Line: 1, Col: 1}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ksql.Split(test.sql)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestSplitErrors(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"A;\n  B 1", "line 2:3: this statement has no end: ; is missing"},
		{"A 'x;\n", "line 1:3: this string has no end: ' is missing"},
		{"A `x;", "line 1:3: this quoted identifier has no end: ` is missing"},
		{"\nA \"x;", "line 2:3: this quoted identifier has no end: \" is missing"},
		{"/* x;", "line 1:1: this comment has no end: */ is missing"},
		{"A /* x;", "line 1:3: this comment has no end: */ is missing"},
	}
	for _, test := range tests {
		_, err := ksql.Split(test.sql)
		require.Error(t, err, test.sql)
		assert.Equal(t, test.want, err.Error())
	}
	statements, err := ksql.Split("A; B; C")
	require.Error(t, err)
	assert.Len(t, statements, 2)
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"A;B;", "A 'x''y';--c\n/*d*/`e`;", "\xff;'\xfe';", "/*", "'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		statements, err := ksql.Split(sql)
		end := 0
		for _, s := range statements {
			require.GreaterOrEqual(t, s.Offset, end)
			end = s.Offset + len(s.Text)
			require.Equal(t, s.Text, sql[s.Offset:end])
			require.True(t, strings.HasSuffix(s.Text, ";"))
			require.Equal(t, s.Line, 1+strings.Count(sql[:s.Offset], "\n"))
		}
		if err != nil {
			return
		}
		for _, s := range statements {
			again, err := ksql.Split(s.Text)
			require.NoError(t, err)
			require.Len(t, again, 1)
			require.Equal(t, s.Text, again[0].Text)
		}
	})
}

func TestQuoteAndIdentifier(t *testing.T) {
	assert.Equal(t, "'it''s'", ksql.Quote("it's"))
	assert.Equal(t, "`a``b`", ksql.Identifier("a`b"))
}

package parser

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzParse(f *testing.F) {
	for _, s := range samples {
		f.Add(s)
	}
	f.Add("SELECT ((((((((((1")
	f.Add("/* /* /* ' \" ` ${ ${a} ' ''")
	f.Fuzz(func(t *testing.T, sql string) {
		statements, err := ParseTest(sql)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Positive(t, e.Line)
			require.Positive(t, e.Col)
			require.LessOrEqual(t, e.Offset, len(sql))
			require.NotEmpty(t, e.Message)
			return
		}
		for _, s := range statements {
			require.Equal(t, s.Text(), sql[s.Pos().Offset:s.End().Offset])
			require.True(t, strings.HasSuffix(s.Text(), ";"))
		}
		requireRoundTrip(t, statements)
	})
}

func FuzzSubstitute(f *testing.F) {
	f.Add("SELECT ${a}, '${b}' FROM ${c};", "x")
	f.Add("CREATE STREAM ${n} WITH (KAFKA_TOPIC='${n}', PARTITIONS=${p});", "it's")
	f.Fuzz(func(t *testing.T, sql, value string) {
		vars := map[string]string{"a": value, "b": value, "c": value, "n": value, "p": value}
		out, err := Substitute(sql, vars)
		if err != nil {
			return
		}
		before, err := Split(sql)
		require.NoError(t, err)
		after, err := Split(out)
		require.NoError(t, err, "%q gives %q", sql, out)
		require.Len(t, after, len(before))
	})
}

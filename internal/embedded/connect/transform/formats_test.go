package transform_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func TestTimesAreWrittenAsSimpleDateFormatDoes(t *testing.T) {
	for pattern, want := range map[string]string{
		"EEE, dd MMM yyyy HH:mm:ss.SSS zzz": "Tue, 14 Nov 2023 22:13:20.123 UTC", "d/M/yy h:mm a 'o''clock'": "14/11/23 10:13 PM o'clock", "D w W u F k K Z G": "318 46 3 2 2 22 10 +0000 AD",
		"yyyy-MM-dd'T'HH:mm:ssXXX": "2023-11-14T22:13:20Z", "y YYYY MMMM EEEE SSSS": "2023 2023 November Tuesday 0123",
	} {
		r := &plugin.Record{Value: int64(1700000000123), ValueSchema: data.Of(data.Int64)}
		got, err := apply(t, "TimestampConverter$Value", map[string]string{"target.type": "string", "format": pattern}, r)
		require.NoError(t, err)
		assert.Equal(t, want, got.Value, pattern)
	}
}

func TestTimesAreReadAsSimpleDateFormatDoes(t *testing.T) {
	read := func(pattern, text string) (any, error) {
		r := &plugin.Record{Value: text, ValueSchema: data.Of(data.String)}
		got, err := apply(t, "TimestampConverter$Value", map[string]string{"target.type": "unix", "format": pattern}, r)
		if err != nil {
			return nil, err
		}
		return got.Value, nil
	}
	for _, test := range []struct{ pattern, text, want string }{
		{"yyyyMMddHHmmss", "20231114221320", "2023-11-14T22:13:20Z"}, {"dd MMM yyyy", "3 november 2023", "2023-11-03T00:00:00Z"}, {"yyyy-MM-dd", "2023-13-41 rest", "2024-02-10T00:00:00Z"},
		{"d/M/yy h:mm a", "14/11/23 10:13 pm", "2023-11-14T22:13:00Z"}, {"yyyy-MM-dd'T'HH:mmX", "2023-11-14T22:13+01:30", "2023-11-14T20:43:00Z"}, {"yyyy DDD", "2023 032", "2023-02-01T00:00:00Z"},
	} {
		want, err := time.Parse(time.RFC3339, test.want)
		require.NoError(t, err)
		got, err := read(test.pattern, test.text)
		require.NoError(t, err, test.text)
		assert.Equal(t, want.UnixMilli(), got, test.text)
	}
	_, err := read("yyyy-MM-dd", "14.11.2023")
	require.ErrorContains(t, err, "Could not parse timestamp: value (14.11.2023) does not match pattern (yyyy-MM-dd)")
}

func TestTopicsAreRoutedByJavasPatterns(t *testing.T) {
	for _, test := range []struct{ regex, replacement, want, wrong string }{
		{"db-(.*)", "x_$1", "x_table", ""}, {`(\w+)-(\w+)`, "$2-$1", "table-db", ""}, {"(?<n>db)-.*", "${n}!", "db!", ""}, {"(?=d).*", "look", "look", ""}, {"other", "x", "db-table", ""},
		{"db-(.*)", `\$1`, "$1", ""}, {"db-(.*)", "$3", "", "No group 3"}, {"db-(.*)", "a$", "", "Illegal group reference"}, {"db-(.*)", "${m}", "", "No group with name {m}"}, {"(d|db)-?.*", "$1", "d", ""},
	} {
		got, err := apply(t, "RegexRouter", map[string]string{"regex": test.regex, "replacement": test.replacement}, &plugin.Record{Topic: "db-table"})
		if test.wrong != "" {
			require.ErrorContains(t, err, test.wrong)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, test.want, got.Topic, test.regex)
	}
}

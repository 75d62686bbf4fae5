package timefmt_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/timefmt"
)

func compile(t testing.TB, pattern string) *timefmt.Pattern {
	p, err := timefmt.Compile(pattern)
	require.NoError(t, err, pattern)
	return p
}

func TestFormat(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	require.NoError(t, err)
	at := time.Date(2021, 3, 4, 5, 6, 7, 8_000_000, time.UTC)
	for pattern, want := range map[string]string{
		"yyyy-MM-dd HH:mm:ss.SSS": "2021-03-04 05:06:07.008", "yy/M/d H:m:s": "21/3/4 5:6:7", "yyyyy": "02021",
		"EEEE, d MMMM yyyy": "Thursday, 4 March 2021", "E MMM": "Thu Mar", "MMMMM": "M", "hh:mm a": "05:06 AM", "K k": "5 5",
		"D DDD": "63 063", "w W e": "10 1 5", "Q QQQ QQQQ": "1 Q1 1st quarter", "G GGGG": "AD Anno Domini", "S SSSSSSSSS": "0 008000000",
		"A N n": "18367008 18367008000000 8000000", "'T''quoted'''": "T'quoted'", "yyyy[ HH]": "2021 05",
	} {
		got, err := compile(t, pattern).Format(at, timefmt.Date|timefmt.Clock|timefmt.Zone)
		require.NoError(t, err, pattern)
		assert.Equal(t, want, got, pattern)
	}
	for pattern, want := range map[string]string{
		"X XX XXX": "+01 +0100 +01:00", "x xxx": "+01 +01:00", "Z ZZZZ ZZZZZ": "+0100 GMT+01:00 +01:00", "O": "GMT+1", "z": "CET", "VV": "Europe/Prague",
	} {
		got, err := compile(t, pattern).Format(at.In(prague), timefmt.Date|timefmt.Clock|timefmt.Zone)
		require.NoError(t, err, pattern)
		assert.Equal(t, want, got, pattern)
	}
}

func TestFormatRefusesPartsThatTheValueLacks(t *testing.T) {
	now := time.Unix(0, 0).UTC()
	_, err := compile(t, "HH").Format(now, timefmt.Date)
	assert.Error(t, err)
	_, err = compile(t, "yyyy").Format(now, timefmt.Clock)
	assert.Error(t, err)
	_, err = compile(t, "XX").Format(now, timefmt.Date|timefmt.Clock)
	assert.Error(t, err)
	got, err := compile(t, "yyyy[ HH]").Format(now, timefmt.Date)
	require.NoError(t, err)
	assert.Equal(t, "1970", got)
}

func TestCompileRefusesWhatJavaRefuses(t *testing.T) {
	for _, pattern := range []string{"bogus{", "yyyy'", "]", "HHH", "dddd", "V", "OO", "XXXXXX", "zzzzz", "I", "#"} {
		_, err := timefmt.Compile(pattern)
		assert.Error(t, err, pattern)
	}
}

func TestParseTimestamp(t *testing.T) {
	for _, c := range []struct{ text, pattern, zone, want string }{
		{"2021-03-04 05:06:07.008", "yyyy-MM-dd HH:mm:ss.SSS", "UTC", "2021-03-04T05:06:07.008Z"},
		{"20210304", "yyyyMMdd", "UTC", "2021-03-04T00:00:00Z"},
		{"20210304050607008", "yyyyMMddHHmmssSSS", "UTC", "2021-03-04T05:06:07.008Z"},
		{"04/03/21", "dd/MM/yy", "UTC", "2021-03-04T00:00:00Z"},
		{"2021", "yyyy", "UTC", "2021-01-01T00:00:00Z"},
		{"5:06 pm", "h:mm a", "UTC", "1970-01-01T17:06:00Z"},
		{"MAR 4 2021", "MMM d yyyy", "UTC", "2021-03-04T00:00:00Z"},
		{"2021-02-30", "yyyy-MM-dd", "UTC", "2021-02-28T00:00:00Z"},
		{"2021-03-04 24:00", "yyyy-MM-dd HH:mm", "UTC", "2021-03-05T00:00:00Z"},
		{"2021-063", "yyyy-DDD", "UTC", "2021-03-04T00:00:00Z"},
		{"2021-03-04T05:06:07z", "yyyy-MM-dd'T'HH:mm:ssX", "Europe/Prague", "2021-03-04T05:06:07Z"},
		{"2021-03-04T05:06:07+02:00", "yyyy-MM-dd'T'HH:mm:ssXXX", "UTC", "2021-03-04T03:06:07Z"},
		{"2021-03-04T05:06:07-0230", "yyyy-MM-dd'T'HH:mm:ssZ", "UTC", "2021-03-04T07:36:07Z"},
		{"2018-05-11T21:58:33 PST", "yyyy-MM-dd'T'HH:mm:ss zzz", "UTC", "2018-05-12T04:58:33Z"},
		{"2021-03-28 02:30", "yyyy-MM-dd HH:mm", "Europe/Prague", "2021-03-28T01:30:00Z"},
		{"2021-10-31 02:30", "yyyy-MM-dd HH:mm", "Europe/Prague", "2021-10-31T00:30:00Z"},
		{"2021-03-04", "yyyy-MM-dd[ HH:mm]", "UTC", "2021-03-04T00:00:00Z"},
		{"2021-03-04 07:30", "yyyy-MM-dd[ HH:mm]", "UTC", "2021-03-04T07:30:00Z"},
		{"-0044-03-15", "uuuu-MM-dd", "UTC", "-0044-03-15T00:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		millis, err := compile(t, c.pattern).ParseTimestamp(c.text, zone)
		require.NoError(t, err, c.text)
		assert.Equal(t, c.want, time.UnixMilli(millis).UTC().Format(time.RFC3339Nano), c.text)
	}
}

func TestParseTimestampRefuses(t *testing.T) {
	for text, pattern := range map[string]string{
		"2021-13-01": "yyyy-MM-dd", "2021-03-00": "yyyy-MM-dd", "nope": "yyyy", "25:00": "HH:mm", "24:01": "HH:mm", "1614834367": "s",
		"2021-03-04 ": "yyyy-MM-dd", "2021-3-4": "yyyy-MM-dd", "+2021": "yyyy", "12021": "yyyy", "Mon 2021-03-04": "E yyyy-MM-dd",
		"2021-366": "yyyy-DDD", "2021-03-04+25": "yyyy-MM-ddX", "": "yyyy",
	} {
		_, err := compile(t, pattern).ParseTimestamp(text, time.UTC)
		assert.Error(t, err, text)
	}
}

func TestParseDateAndTime(t *testing.T) {
	days, err := compile(t, "yyyy-MM-dd").ParseDate("2021-03-04")
	require.NoError(t, err)
	assert.EqualValues(t, 18690, days)
	_, err = compile(t, "yyyy").ParseDate("2021")
	assert.Error(t, err)
	days, err = compile(t, "yyyy-MM-dd").ParseDateLeniently("2021-13-35 and more")
	require.NoError(t, err)
	assert.Equal(t, "2022-02-04", time.Unix(days*86400, 0).UTC().Format(time.DateOnly))
	_, err = compile(t, "yyyy-MM-dd HH").ParseDateLeniently("2021-03-04 05")
	assert.EqualError(t, err, "Date format contains time field.")

	millis, err := compile(t, "HH:mm:ss.SSS").ParseTime("05:06:07.008")
	require.NoError(t, err)
	assert.EqualValues(t, 18_367_008, millis)
	_, err = compile(t, "yyyy HH").ParseTime("2021 05")
	assert.EqualError(t, err, "Time format contains date field.")
	_, err = compile(t, "mm").ParseTime("05")
	assert.Error(t, err)
}

func FuzzPattern(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2021-03-04T05:06:07.008+02:00")
	f.Add("[yyyy[MM]]dd", "20210304")
	f.Add("EEE MMM d h:mm a VV", "Thu Mar 4 5:06 PM Europe/Prague")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := timefmt.Compile(pattern)
		if err != nil {
			return
		}
		millis, err := p.ParseTimestamp(text, time.UTC)
		if err != nil {
			return
		}
		_, _ = p.ParseDateLeniently(text)
		_, _ = p.ParseTime(text)
		_, _ = p.Format(time.UnixMilli(millis).UTC(), timefmt.Date|timefmt.Clock|timefmt.Zone)
	})
}

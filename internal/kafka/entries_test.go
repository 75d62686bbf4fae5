package kafka_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
)

const entryText = `{"type":"record","name":"Entry","namespace":"shop","fields":[
 {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["IN","OUT"]}},{"name":"id","type":"string"},{"name":"units","type":"int","default":0}]}`

// entrySchemas are what a registry knows, by id.
var entrySchemas = map[string]map[string]any{
	"1": {"schema": entryText},
	"2": {"schema": `"string"`},
	"3": {"schema": strings.Replace(entryText, `"shop"`, `"other"`, 1)},
	"4": {"schema": strings.Replace(entryText, `"fields":[`, `"fields":[{"name":"more","type":"long"},`, 1)},
	"5": {"schema": strings.Replace(entryText, `"OUT"`, `"OUT","BACK"`, 1)},
	"6": {"schema": strings.Replace(entryText, `"int"`, `"long"`, 1)},
	"7": {"schema": `{"type":"record","name":"shop.Entry","fields":[{"name":"kind","type":"string"},{"name":"id","type":"string"}]}`},
	"8": {"schema": `{"type":"object","title":"shop.Entry"}`, "schemaType": "JSON"},
	"9": {"schema": strings.Replace(entryText, `{"name":"id","type":"string"}`, `{"name":"id","type":["null","string"]}`, 1)},
	// A schema that this program cannot compile: for an entry of another version it matters.
	"10": {"schema": `{"type":"record","name":"Entry","namespace":"shop","fields":[{"name":"kind","type":"from.the.future"}]}`},
	"11": {"schema": `{"type":"record","name":"Else","namespace":"shop","fields":[{"name":"kind","type":"from.the.future"}]}`},
	"12": {"schema": `not even JSON`},
	"13": {"schema": entryText, "references": []any{map[string]any{"name": "x", "subject": "gone", "version": 1}}},
	"14": {"schema": entryText, "references": []any{map[string]any{"name": "x", "subject": "away", "version": 1}}},
}

func entryRegistry(t testing.TB) *kafka.Registry {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(r.URL.Path, "/schemas/ids/")
		switch answer, ok := entrySchemas[id]; {
		case ok:
			_ = json.NewEncoder(w).Encode(answer) // the client notices when this fails
		case strings.Contains(r.URL.Path, "/away/"), id == "500":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
		}
	}))
	t.Cleanup(srv.Close)
	reg, err := kafka.NewRegistry(kafka.Config{SchemaRegistry: srv.URL})
	require.NoError(t, err)
	return reg
}

type entry struct {
	Kind  string `avro:"kind"`
	ID    string `avro:"id"`
	Units int32  `avro:"units"`
}

func TestWhatIsPassedOverAndWhatStops(t *testing.T) {
	decoder, err := entryRegistry(t).EntryDecoder([]byte(entryText))
	require.NoError(t, err)
	good := []byte{2, 2, 'a', 6}
	of := func(id byte, payload ...byte) []byte { return append([]byte{0, 0, 0, 0, id}, payload...) }
	for name, tt := range map[string]struct {
		value []byte
		want  error
	}{
		"an entry":                              {of(1, good...), nil},
		"an entry with a further field":         {of(4, append([]byte{8}, good...)...), nil},
		"an entry that could be of a new kind":  {of(5, good...), nil},
		"a tombstone":                           {nil, kafka.ErrForeign},
		"an empty value":                        {[]byte{}, kafka.ErrForeign},
		"text":                                  {[]byte(`{"kind":"IN"}`), kafka.ErrForeign},
		"a cut header":                          {[]byte{0, 0, 0, 1}, kafka.ErrForeign},
		"the schema id 0":                       {of(0, good...), kafka.ErrForeign},
		"a schema id that is no positive int":   {[]byte{0, 0x80, 0, 0, 1, 2}, kafka.ErrForeign},
		"another schema":                        {of(2, 2, 'a'), kafka.ErrForeign},
		"a record of the same name elsewhere":   {of(3, good...), kafka.ErrForeign},
		"another format":                        {of(8, good...), kafka.ErrForeign},
		"another record that is not understood": {of(11, good...), kafka.ErrForeign},
		"a schema that is none":                 {of(12, good...), kafka.ErrForeign},
		"nothing behind the header":             {of(1), kafka.ErrForeign},
		"a cut entry":                           {of(1, good[:2]...), kafka.ErrForeign},
		"an entry with a tail":                  {of(1, append(slices.Clone(good), 0)...), kafka.ErrForeign},
		"a symbol that its schema lacks":        {of(1, 4, 2, 'a', 6), kafka.ErrForeign},
		"a field of another type":               {of(6, good...), kafka.ErrNewer},
		"a field that is missing":               {of(7, 2, 'a', 2, 'a'), kafka.ErrNewer},
		"a field that may be null":              {of(9, 2, 0, 6), kafka.ErrNewer},
		"an entry that is not understood":       {of(10, good...), kafka.ErrNewer},
		"an unknown schema":                     {of(99, good...), kafka.ErrUnknownSchema},
		"a reference to an unknown schema":      {of(13, good...), kafka.ErrUnknownSchema},
		"a registry that fails":                 {[]byte{0, 0, 0, 1, 244, 2}, kafka.ErrUnavailable},
		"a reference that cannot be fetched":    {of(14, good...), kafka.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // from the registry and from memory
				var e entry
				err := decoder.Decode(t.Context(), tt.value, &e)
				if tt.want == nil {
					require.NoError(t, err)
					require.Equal(t, entry{"OUT", "a", 3}, e)
					continue
				}
				for _, other := range []error{kafka.ErrForeign, kafka.ErrNewer, kafka.ErrUnknownSchema, kafka.ErrUnavailable} {
					assert.Equal(t, other == tt.want, errors.Is(err, other), "%v: %v", other, err)
				}
				assert.Equal(t, tt.want == kafka.ErrNewer || tt.want == kafka.ErrUnknownSchema, kafka.Lasting(err))
			}
		})
	}
	_, err = entryRegistry(t).EntryDecoder([]byte("{"))
	require.ErrorContains(t, err, "compiling the schema of a ledger's entries")
}

// FuzzEntries decodes fuzzed values: what is no entry is foreign, or of a schema that is not known.
func FuzzEntries(f *testing.F) {
	decoder, err := entryRegistry(f).EntryDecoder([]byte(entryText))
	require.NoError(f, err)
	f.Add([]byte{0, 0, 0, 0, 1, 2, 2, 'a', 6})
	f.Add([]byte{0, 0, 0, 0, 2, 2, 'a'})
	f.Add([]byte("rubbish"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > 4 {
			value[1], value[2], value[3], value[4] = 0, 0, 0, 1+value[4]%5
		}
		var e entry
		if err := decoder.Decode(t.Context(), value, &e); err != nil {
			require.ErrorIs(t, err, kafka.ErrForeign)
		}
	})
}

func TestAFloodOfSkippedRecordsIsCountedAndLoggedInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		counted := map[string]int{}
		skips := kafka.NewSkips(slog.New(slog.NewTextHandler(&lines, nil)), func(topic string) { counted[topic]++ })
		skip := func(n int) {
			for i := range n {
				skips.Skip(&kgo.Record{Topic: "t", Partition: 1, Offset: int64(i)}, errors.New("no entry "+strings.Repeat("x", 9000)))
			}
		}
		skip(1000)
		assert.Equal(t, 10, strings.Count(lines.String(), "\n"))
		<-time.After(10 * time.Second)
		skip(1)
		assert.Contains(t, lines.String(), "others_since_the_last_line=990")
		assert.Contains(t, lines.String(), "topic=t partition=1 offset=0")
		assert.Less(t, lines.Len(), 11*1000)
		for range 1000 {
			skips.SkipRow("u", errors.New("no entry"))
		}
		assert.Equal(t, 20, strings.Count(lines.String(), "\n"))
		assert.Equal(t, map[string]int{"t": 1001, "u": 1000}, counted)
		var nobody *kafka.Skips
		nobody.Skip(&kgo.Record{}, errors.New("no entry"))
	})
}

func TestKeepTriesSeldomWhatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		kafka.Keep(t.Context(), slog.New(slog.DiscardHandler), "the test", func(_ context.Context, _ func()) error {
			if at = append(at, time.Now()); len(at) == 14 {
				return nil
			}
			return fmt.Errorf("reading: %w", kafka.ErrNewer)
		})
		assert.Equal(t, 50*time.Millisecond, at[1].Sub(at[0]))
		assert.Equal(t, 30*time.Second, at[13].Sub(at[12]))
	})
}

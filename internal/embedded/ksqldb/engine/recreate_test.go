package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// rows runs a query that ends by itself and gives its rows, or PRINT's lines.
func (w *world) rows(sql string) []string {
	w.t.Helper()
	q, err := w.engine.Prepare(w.ctx, engine.Request{SQL: sql, Properties: map[string]string{"auto.offset.reset": "earliest"}})
	require.NoError(w.t, err)
	var rows []string
	_, err = q.Run(w.ctx, engine.Receiver{
		Begin: func() error { return nil },
		Row: func(r engine.Row) error {
			var cells []string
			for i, v := range r.Values {
				cells = append(cells, q.Columns[i].Name+"="+types.Text(q.Columns[i].Type, v))
			}
			rows = append(rows, strings.Join(cells, " "))
			return nil
		},
		Print: func(text string) error {
			if strings.HasPrefix(text, "rowtime") {
				rows = append(rows, text)
			}
			return nil
		},
	})
	require.NoError(w.t, err)
	slices.Sort(rows)
	return rows
}

func (w *world) deleteTopics(names ...string) {
	w.t.Helper()
	deleted, err := w.admin.DeleteTopics(w.ctx, names...)
	require.NoError(w.t, err)
	require.NoError(w.t, deleted.Error())
}

// TestTopicsThatAreMadeAnewAreReadAndWritten makes the same streams, tables, queries
// and topics again and again, with what is left of the ones before removed in each
// of the ways there are.
func TestTopicsThatAreMadeAnewAreReadAndWritten(t *testing.T) {
	for way, remove := range map[string]func(w *world){
		"dropped with their topics": func(w *world) {
			w.exec("DROP TABLE c DELETE TOPIC; DROP STREAM o DELETE TOPIC; DROP STREAM s DELETE TOPIC;")
		},
		"dropped, their topics deleted by another client": func(w *world) {
			w.exec("TERMINATE ALL; DROP TABLE c; DROP STREAM o; DROP STREAM s;")
			w.deleteTopics("o", "s", "c")
		},
		"dropped, and restarted": func(w *world) {
			w.exec("DROP TABLE c DELETE TOPIC; DROP STREAM o DELETE TOPIC; DROP STREAM s DELETE TOPIC;")
			w.reopen()
		},
	} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t, nil)
			for round := range 4 {
				w.exec(createS + `
					CREATE STREAM o WITH (KAFKA_TOPIC='o') AS SELECT id, v FROM s;
					CREATE TABLE c WITH (KAFKA_TOPIC='c') AS SELECT v, COUNT(*) AS n FROM o GROUP BY v;`)
				records := 5 - round // fewer than before
				var want []string
				for i := range records {
					w.exec(fmt.Sprintf("INSERT INTO s (id, v) VALUES ('%d', 'round %d');", i, round))
					want = append(want, fmt.Sprintf(`%d {"V":"round %d"}`, i, round))
				}
				w.eventually("o", want...)
				require.Len(t, w.rows("SELECT v FROM o;"), records, "a pull query on a stream")
				pushed := w.rows(fmt.Sprintf("SELECT id, v FROM o EMIT CHANGES LIMIT %d;", records))
				require.Equal(t, fmt.Sprintf("ID=0 V=round %d", round), pushed[0], "a push query")
				printed := w.rows(fmt.Sprintf("PRINT 'o' FROM BEGINNING LIMIT %d;", records))
				require.Contains(t, printed[0], fmt.Sprintf("round %d", round))
				var counted []string
				for deadline := time.Now().Add(patience); len(counted) != 1 || !strings.HasSuffix(counted[0], fmt.Sprint("N=", records)); {
					require.True(t, time.Now().Before(deadline), "a pull query on a table gives %v", counted)
					counted = w.rows(fmt.Sprintf("SELECT v, n FROM c WHERE v = 'round %d';", round))
				}
				require.Len(t, w.rows("SELECT v, n FROM c;"), 1, "nothing is left of the table before")
				remove(w)
			}
		})
	}
}

func TestATopicThatAnotherClientMakesAnewUnderAQuery(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE STREAM o WITH (KAFKA_TOPIC='o') AS SELECT id, v FROM s;")
	w.exec("INSERT INTO s (id, v) VALUES ('0', 'old'); INSERT INTO s (id, v) VALUES ('1', 'old');")
	w.eventually("o", `0 {"V":"old"}`, `1 {"V":"old"}`)
	w.deleteTopics("s")
	_, err := w.admin.CreateTopic(w.ctx, 2, 1, nil, "s")
	require.NoError(t, err)
	w.exec("INSERT INTO s (id, v) VALUES ('2', 'new');")
	in, err := w.engine.OpenInserts(w.ctx, "s")
	require.NoError(t, err)
	inserted := make(chan error, 1)
	require.NoError(t, in.Insert(w.ctx, []byte(`{"ID":"3","V":"new"}`), func(err error) { inserted <- err }))
	require.NoError(t, <-inserted)
	w.eventually("o", `0 {"V":"old"}`, `1 {"V":"old"}`, `2 {"V":"new"}`, `3 {"V":"new"}`)
	require.Len(t, w.rows("SELECT id FROM s EMIT CHANGES LIMIT 2;"), 2)
	require.Len(t, w.rows("SELECT id FROM s;"), 2)

	w.deleteTopics("o")
	_, err = w.admin.CreateTopic(w.ctx, 1, 1, nil, "o")
	require.NoError(t, err)
	w.kafka.PurgeTopicsFromClient("s", "o")
	require.NoError(t, w.kafka.ProduceSync(w.ctx, &kgo.Record{Topic: "s", Key: []byte("4"), Value: []byte(`{"V":"new"}`)}).FirstErr())
	w.eventually("o", `4 {"V":"new"}`)
}

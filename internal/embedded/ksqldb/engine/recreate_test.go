package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTopicsThatAreMadeAnewAreReadAndWritten makes the same stream, query and topics
// again and again, with what is left of the ones before deleted in each of the ways
// there are.
func TestTopicsThatAreMadeAnewAreReadAndWritten(t *testing.T) {
	ways := map[string]func(w *world){
		"dropped with their topics": func(w *world) {
			w.exec("DROP STREAM o DELETE TOPIC; DROP STREAM s DELETE TOPIC;")
		},
		"dropped, their topics deleted by another client": func(w *world) {
			w.exec("TERMINATE ALL; DROP STREAM o; DROP STREAM s;")
			deleted, err := w.admin.DeleteTopics(w.ctx, "o", "s")
			require.NoError(w.t, err)
			require.NoError(w.t, deleted.Error())
		},
	}
	for way, remove := range ways {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t, nil)
			for round := range 4 {
				w.exec(createS + "CREATE STREAM o WITH (KAFKA_TOPIC='o') AS SELECT id, v FROM s;")
				for i := range 5 - round {
					w.exec(fmt.Sprintf("INSERT INTO s (id, v) VALUES ('%d', 'round %d');", i, round))
				}
				var want []string
				for i := range 5 - round {
					want = append(want, fmt.Sprintf(`%d {"V":"round %d"}`, i, round))
				}
				w.eventually("o", want...)
				remove(w)
			}
		})
	}
}

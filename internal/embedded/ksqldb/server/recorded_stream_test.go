package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// streamPatience bounds the wait for the rows of one recorded stream.
const streamPatience = 1500 * time.Millisecond

var transientID = regexp.MustCompile(`(?i)transient_\w+?_-?\d+`)

// stream replays a query: rows may come in another order where they are of
// different partitions, and a query that the client ended is ended when it has
// given as much as the recorded one.
func (r *replay) stream(i int, results map[int]error) {
	x := &r.lines[i]
	held := r.held
	r.held = nil
	want := x.text()
	if strings.Contains(x.statement(), "PRINT") {
		want = strings.TrimRight(want, "\n") + "\n" // idle printing gives blank lines
	}
	if len(held) == 0 && x.Ended == "complete" && !strings.Contains(x.Note, "rows are produced") {
		results[i] = r.compare(x, x.RequestBody)
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, streamPatience)
	defer cancel()
	saved := r.ctx
	r.ctx = ctx
	resp, err := r.request(x, x.RequestBody)
	r.ctx = saved
	if err != nil {
		results[i] = err
		return
	}
	defer resp.Body.Close()
	expected := len(want)
	if len(held) > 0 {
		expected = len(strings.TrimSuffix(strings.TrimSuffix(want, "]"), `{"finalMessage":"Query Completed"}`))
	}
	var got bytes.Buffer
	head := headOf(want)
	readTo := func(n int) error {
		_, err := io.CopyN(&got, resp.Body, int64(n-got.Len()))
		return err
	}
	// Ids differ in length from the recorded one.
	firstErr := r.readHead(resp, &got)
	if firstErr == nil {
		expected += got.Len() - len(head)
		if strings.Contains(x.Note, "rows are produced") {
			r.produceRows(want)
		}
		firstErr = readTo(expected)
	}
	if len(held) > 0 {
		id := transientID.FindString(got.String())
		for _, h := range held {
			results[h] = r.compare(&r.lines[h], transientID.ReplaceAllString(r.lines[h].RequestBody, id))
		}
		_, firstErr = io.Copy(&got, resp.Body)
	} else if x.Ended == "complete" {
		_, firstErr = io.Copy(&got, resp.Body)
	}
	if firstErr != nil && !errors.Is(firstErr, io.EOF) && got.Len() < expected {
		results[i] = fmt.Errorf("got only %q: %w", got.String(), firstErr)
		return
	}
	results[i] = r.compareAnswers(x, resp, got.String())
}

// headOf is what readHead reads of a text.
func headOf(text string) string {
	if strings.HasPrefix(text, `[{"queryId`) {
		return text[:strings.IndexByte(text, '}')+1]
	}
	line, _, found := strings.Cut(text, "\n")
	if found {
		line += "\n"
	}
	return line
}

// readHead reads the first line, or the metadata object of an array.
func (r *replay) readHead(resp *http.Response, got *bytes.Buffer) error {
	one := make([]byte, 1)
	depth := 0
	for {
		if _, err := io.ReadFull(resp.Body, one); err != nil {
			return err
		}
		got.WriteByte(one[0])
		switch one[0] {
		case '\n':
			return nil
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 && strings.HasPrefix(got.String(), `[{"queryId`) {
				return nil
			}
		}
	}
}

// produceRows writes the records of stream S1 that the recorder wrote while the
// query ran.
func (r *replay) produceRows(want string) {
	var id, a int32
	write := func() {
		rec := &kgo.Record{Topic: "s1", Key: binary.BigEndian.AppendUint32(nil, uint32(id)), Value: fmt.Appendf(nil, `{"A":%d}`, a)}
		require.NoError(r.t, r.kafka.ProduceSync(r.ctx, rec).FirstErr())
	}
	for _, m := range regexp.MustCompile(`\[(\d+),(\d+)\]`).FindAllStringSubmatch(want, -1) {
		_, err := fmt.Sscan(m[1]+" "+m[2], &id, &a)
		require.NoError(r.t, err)
		write()
	}
	a++ // the one beyond the query's LIMIT, which later queries show
	write()
}

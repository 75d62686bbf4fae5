package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// printPoll is after how long without a record PRINT writes a blank line.
const printPoll = time.Second

func (e *Engine) preparePrint(ctx context.Context, q *Query, s *ast.PrintTopic) error {
	if s.Interval != nil && *s.Interval < 1 {
		return refused(s, "the interval of PRINT must be at least 1")
	}
	_, exists, err := liveTopics{e}.Topic(ctx, s.Topic)
	if err != nil {
		return err
	}
	if !exists {
		return &Error{Code: CodeBadRequest, Message: fmt.Sprintf(
			"Could not find topic '%s', or the KSQL user does not have permissions to list the topic. Topic names are case-sensitive.", s.Topic)}
	}
	q.Kind, q.print = PrintQuery, s
	return nil
}

func (q *Query) runPrint(ctx context.Context, r Receiver) (End, error) {
	s := q.print
	start := kgo.NewOffset().AtEnd()
	if s.FromBeginning {
		start = kgo.NewOffset().AtStart()
	}
	consumer, err := kgo.NewClient(append(q.engine.cfg.kafka(),
		kgo.ClientID("ksqldb-print"),
		kgo.ConsumeTopics(s.Topic),
		kgo.ConsumeResetOffset(start),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(4<<20),
		kgo.MetadataMinAge(100*time.Millisecond),
	)...)
	if err != nil {
		return 0, fmt.Errorf("making a Kafka consumer for PRINT: %w", err)
	}
	defer consumer.Close()
	if err := r.Begin(); err != nil {
		return 0, err
	}
	p := &printer{receiver: r, statement: s, keys: newFormatGuess(q.engine.registry, true), values: newFormatGuess(q.engine.registry, false)}
	for {
		poll, cancel := context.WithTimeout(ctx, printPoll)
		fetches := consumer.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return Completed, nil
		}
		for _, failed := range fetches.Errors() {
			if poll.Err() == nil {
				return 0, &Error{Code: CodeServerError, Message: fmt.Sprintf("reading partition %d of topic %s: %v", failed.Partition, failed.Topic, failed.Err)}
			}
		}
		done, err := p.print(ctx, fetches.Records())
		if err != nil {
			return 0, err
		}
		if done {
			return LimitReached, nil
		}
	}
}

// printer writes records as text.
type printer struct {
	receiver  Receiver
	statement *ast.PrintTopic
	keys      *formatGuess
	values    *formatGuess
	seen      int
	printed   int
}

// print writes a batch of records: what formats fit all records so far, whenever
// that changes, then the records. It reports whether the limit is reached.
func (p *printer) print(ctx context.Context, records []*kgo.Record) (bool, error) {
	if len(records) == 0 {
		return false, p.receiver.Print("\n")
	}
	keys, values := make([][]byte, len(records)), make([][]byte, len(records))
	for i, rec := range records {
		keys[i], values[i] = rec.Key, rec.Value
	}
	for _, side := range []struct {
		name  string
		guess *formatGuess
		data  [][]byte
	}{{"Key", p.keys, keys}, {"Value", p.values, values}} {
		if side.guess.narrow(ctx, side.data) {
			if err := p.receiver.Print(side.name + " format: " + side.guess.String() + "\n"); err != nil {
				return false, err
			}
		}
	}
	for _, rec := range records {
		p.seen++
		if p.statement.Interval != nil && (p.seen-1)%int(*p.statement.Interval) != 0 {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "rowtime: %s, key: %s, value: %s, partition: %d\n",
			rec.Timestamp.UTC().Format("2006/01/02 15:04:05.000 Z"), p.keys.text(ctx, rec.Key), p.values.text(ctx, rec.Value), rec.Partition)
		if err := p.receiver.Print(b.String()); err != nil {
			return false, err
		}
		p.printed++
		if p.statement.Limit != nil && p.printed >= int(*p.statement.Limit) {
			return true, nil
		}
	}
	return false, nil
}

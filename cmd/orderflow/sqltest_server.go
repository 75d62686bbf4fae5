package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/topics"
)

// processingLog is the stream that a server may make by itself.
const processingLog = "KSQL_PROCESSING_LOG"

// cleanupTimeout bounds how long it may take to remove what a test has made.
const cleanupTimeout = 2 * time.Minute

// serverTests runs SQL tests on the configured ksqlDB. What a test makes there is
// removed when it has ended: its streams and tables, its types, and those topics and
// subjects that were not there before it. A test that would touch other ones is
// refused before it does.
type serverTests struct {
	env        *environment
	definition topics.Definition
	// wait is how long a server may take for what an INSERT … VALUES causes, settle
	// how long it gets where it can't be seen whether that has happened.
	wait, settle time.Duration
	client       *ksql.Client
}

// check says why the server can't be used for tests. What a test makes is removed, so
// nothing else must be there.
func (s *serverTests) check(ctx context.Context) error {
	sources, err := s.sources(ctx)
	if err != nil {
		return err
	}
	if len(sources) > 0 {
		return fmt.Errorf("ksqlDB at %s has %d streams and tables (%s among them), and tests need a server that has none: they drop what they make there", s.client.URL(), len(sources), sources[0].Name)
	}
	return nil
}

// sources are the streams and tables of the server, but the one that it makes itself.
func (s *serverTests) sources(ctx context.Context) ([]ksql.Source, error) {
	streams, err := s.client.ListStreams(ctx)
	if err != nil {
		return nil, err
	}
	tables, err := s.client.ListTables(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(streams, tables...), func(source ksql.Source) bool { return source.Name == processingLog }), nil
}

// start makes the engine of one test, with the topics and schemas of the definition.
func (s *serverTests) start(ctx context.Context) (_ *serverEngine, err error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	schemas, err := registry.NewClient(s.env.config.SchemaRegistryURL(), s.env.access.schemaRegistry)
	if err != nil {
		return nil, err
	}
	cfg := serviceKafka(s.env, "test")
	consumer, err := kafka.NewClient(cfg, kgo.FetchMaxWait(recordWait))
	if err != nil {
		return nil, err
	}
	subjects, err := kafka.NewRegistry(cfg)
	if err != nil {
		consumer.Close()
		return nil, err
	}
	e := &serverEngine{
		tests: s, admin: kadm.NewClient(consumer), subjects: subjects.Client(), queries: map[string]string{},
		records: &serverRecords{client: consumer, schemas: schemas, wait: s.wait, settle: s.settle, log: s.env.log, topics: map[string]*serverTopic{}},
	}
	if err := e.foreign(ctx); err != nil {
		consumer.Close()
		return nil, err
	}
	if err := e.prepare(ctx); err != nil {
		return nil, errors.Join(err, e.Close(context.WithoutCancel(ctx)))
	}
	return e, nil
}

// foreign notes the topics and subjects that are there before the test.
func (e *serverEngine) foreign(ctx context.Context) error {
	found, err := e.allTopics(ctx)
	if err != nil {
		return err
	}
	e.foreignTopics = map[string]bool{}
	for name := range found {
		e.foreignTopics[name] = true
	}
	subjects, err := e.subjects.Subjects(ctx)
	if err != nil {
		return fmt.Errorf("listing the schemas: %w", err)
	}
	e.foreignSubjects = map[string]bool{}
	for _, subject := range subjects {
		e.foreignSubjects[subject] = true
	}
	for _, t := range e.tests.definition.Topics {
		if err := e.untouched(t.Name); err != nil {
			return err
		}
	}
	for _, schema := range e.tests.definition.Schemas {
		if e.foreignSubjects[schema.Subject] {
			return fmt.Errorf("the Schema Registry has subject %s already, which the tests would register and delete: delete it if it is left of a test, or say --schemas or --no-schemas", schema.Subject)
		}
	}
	return nil
}

// untouched refuses a topic that was there before the test.
func (e *serverEngine) untouched(topic string) error {
	if e.foreignTopics[topic] {
		return fmt.Errorf("topic %s is on the Kafka cluster already, and tests delete the topics that they use: delete it if it is left of a test, or use other names or another cluster", topic)
	}
	return nil
}

// allTopics asks the brokers: what the client remembers may be from before.
func (e *serverEngine) allTopics(ctx context.Context) (kadm.TopicDetails, error) {
	found, err := e.admin.ListTopics(kadm.WithAuthorizedOps(ctx))
	if err != nil {
		return nil, fmt.Errorf("listing the topics: %w", err)
	}
	maps.DeleteFunc(found, func(_ string, t kadm.TopicDetail) bool { return errors.Is(t.Err, kerr.UnknownTopicOrPartition) })
	return found, nil
}

// prepare makes the definition's topics and schemas, and the session that follows the
// test.
func (e *serverEngine) prepare(ctx context.Context) error {
	definition := e.tests.definition
	if _, err := topics.Apply(ctx, definition, topics.Cluster{Kafka: e.admin, Registry: e.subjects}); err != nil {
		return err
	}
	options := sqltest.Options{Topics: map[string]analyze.Topic{}, Registry: &registry.Memory{}, Observed: e.records}
	for _, t := range definition.Topics {
		options.Topics[t.Name] = analyze.Topic{Partitions: int(t.Partitions), Replicas: max(int(t.Replicas), 1)}
	}
	for _, schema := range definition.Schemas {
		registered, err := e.records.schemas.Latest(ctx, schema.Subject)
		if err != nil {
			return err
		}
		options.Registry.Put(schema.Subject, registered.ID, registry.Schema{Type: registry.TypeAvro, Text: schema.Text})
	}
	session, err := sqltest.NewSession(options)
	if err != nil {
		return err
	}
	e.session, e.records.engine = session, session.Engine()
	return nil
}

// Close removes what the test has made.
func (e *serverEngine) Close(ctx context.Context) error {
	defer e.records.client.Close()
	ctx, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	if _, err := e.send(ctx, "TERMINATE ALL;", nil); err != nil {
		return fmt.Errorf("ending the test's queries: %w", err)
	}
	names, err := e.dropSources(ctx)
	if err != nil {
		return err
	}
	types, err := e.tests.client.ListTypes(ctx)
	if err != nil {
		return err
	}
	for name := range types {
		if _, err := e.send(ctx, "DROP TYPE "+ksql.Identifier(name)+";", nil); err != nil {
			return fmt.Errorf("dropping the test's type %s: %w", name, err)
		}
	}
	for _, t := range e.tests.definition.Topics {
		names = append(names, t.Name)
	}
	if e.session != nil {
		names = append(names, e.session.Engine().TopicNames()...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return e.foreignTopics[name] })
	slices.Sort(names)
	names = slices.Compact(names)
	if err := e.deleteTopics(ctx, names); err != nil {
		return err
	}
	return e.deleteSubjects(ctx, names)
}

// dropSources drops streams and tables, those that others are made of after these,
// and gives their topics.
func (e *serverEngine) dropSources(ctx context.Context) (topics []string, err error) {
	var refused error
	for before := -1; ; {
		sources, err := e.tests.sources(ctx)
		if err != nil {
			return nil, err
		}
		if len(sources) == 0 {
			return topics, nil
		}
		if len(sources) == before {
			return nil, fmt.Errorf("dropping what the test made: %w", refused)
		}
		before, refused = len(sources), nil
		for _, source := range sources {
			topics = append(topics, source.Topic)
			_, err := e.send(ctx, "DROP "+source.Type+" "+ksql.Identifier(source.Name)+";", nil)
			refused = cmp.Or(refused, err)
		}
	}
}

// deleteTopics deletes topics and waits until they are gone.
func (e *serverEngine) deleteTopics(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	deleted, err := e.admin.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("deleting the test's topics: %w", err)
	}
	for _, d := range deleted {
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("deleting the test's topic %s: %w", d.Topic, d.Err)
		}
	}
	for {
		left, err := e.allTopics(ctx)
		if err != nil {
			return fmt.Errorf("waiting for the test's topics to be gone: %w", err)
		}
		if !slices.ContainsFunc(names, left.Has) {
			return nil
		}
		if err := pause(ctx, recordWait); err != nil {
			return fmt.Errorf("waiting for the test's topics to be gone: %w", err)
		}
	}
}

// deleteSubjects deletes the schemas of topics and of the definition.
func (e *serverEngine) deleteSubjects(ctx context.Context, topics []string) error {
	subjects, err := e.subjects.Subjects(ctx)
	if err != nil {
		return fmt.Errorf("listing the schemas: %w", err)
	}
	made := map[string]bool{}
	for _, schema := range e.tests.definition.Schemas {
		made[schema.Subject] = true
	}
	for _, topic := range topics {
		made[registry.Subject(topic, true)], made[registry.Subject(topic, false)] = true, true
	}
	for _, subject := range subjects {
		if !made[subject] || e.foreignSubjects[subject] {
			continue
		}
		if _, err := e.subjects.DeleteSubject(ctx, subject, sr.SoftDelete); err != nil && !strings.Contains(err.Error(), "not found") {
			return fmt.Errorf("deleting the test's schemas of %s: %w", subject, err)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/email"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/inventory"
	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/verify"
	"github.com/orderflow/orderflow/migrations"
	"github.com/orderflow/orderflow/schemas"
)

// partitions is how many partitions every topic has.
const partitions = 2

// Pipeline is what all simulations share: the topologies of the migrations, the
// schemas, and the services without their connections. It may be used by several
// goroutines.
type Pipeline struct {
	queries    []query
	partitions map[string]int32 // by topic, internal ones included
	registry   *kafka.Registry
	ledger     *ledger.Decoder
	encoders   map[string]*kafka.Encoder // by topic
	inventory  *inventory.Service
	email      *email.Service
	reader     *verify.Reader
	server     *httptest.Server
}

type query struct {
	id       string
	topology *exec.Topology
}

// written are the topics that services write with the schemas of the repository.
var written = []string{
	order.TopicOrders, order.TopicPayments, order.TopicShipments, order.TopicValidations,
	order.TopicInventoryLedger, order.TopicEmailLedger, order.TopicEmailDeadLetters, "customers",
}

// NewPipeline builds the pipeline of the migrations. Whoever made it calls Close.
func NewPipeline(ctx context.Context) (*Pipeline, error) {
	memory := &registry.Memory{}
	p := &Pipeline{partitions: map[string]int32{}, encoders: map[string]*kafka.Encoder{}}
	for i, topic := range written {
		text, err := schemas.Files.ReadFile(order.ValueSubject(topic) + ".avsc")
		if err != nil {
			return nil, fmt.Errorf("reading the schema of %s: %w", topic, err)
		}
		memory.Put(order.ValueSubject(topic), i+1, registry.Schema{Type: registry.TypeAvro, Text: string(text)})
	}
	if err := p.build(ctx, memory); err != nil {
		return nil, err
	}
	p.server = httptest.NewServer(serve(memory))
	if err := p.connect(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close ends the schema registry.
func (p *Pipeline) Close() { p.server.Close() }

// build makes the topologies.
func (p *Pipeline) build(ctx context.Context, memory *registry.Memory) error {
	topics, err := declared()
	if err != nil {
		return err
	}
	existing := map[string]analyze.Topic{}
	for _, topic := range topics {
		existing[topic] = analyze.Topic{Partitions: partitions, Replicas: 1}
		p.partitions[topic] = partitions
	}
	engine, err := sqltest.New(sqltest.Options{Registry: memory, Topics: existing})
	if err != nil {
		return err
	}
	variables := map[string]string{
		"order_schema_id":      strconv.Itoa(slices.Index(written, order.TopicOrders) + 1),
		"validation_schema_id": strconv.Itoa(slices.Index(written, order.TopicValidations) + 1),
		"partitions":           strconv.Itoa(partitions), "commit_interval_ms": "100",
	}
	files, err := fs.Glob(migrations.FS, "V*.sql")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := migrations.FS.ReadFile(file)
		if err != nil {
			return err
		}
		sql, err := parser.Substitute(string(text), variables)
		if err == nil {
			_, err = engine.Execute(ctx, sql)
		}
		if err != nil {
			return fmt.Errorf("running %s: %w", file, err)
		}
	}
	for _, q := range engine.Queries {
		for _, sub := range q.Topology.Subs {
			for _, topic := range append(slices.Clone(sub.Writes), topicsOf(sub)...) {
				if found := engine.Lookup(topic); found != nil {
					p.partitions[topic] = int32(found.Config.Partitions)
				}
			}
		}
		internal, err := q.Topology.PartitionCounts(p.partitions)
		if err != nil {
			return fmt.Errorf("counting the partitions of %s: %w", q.ID, err)
		}
		for topic, n := range internal {
			p.partitions[topic] = n
		}
		p.queries = append(p.queries, query{q.ID, q.Topology})
	}
	return nil
}

func topicsOf(sub *exec.SubTopology) []string {
	var topics []string
	for _, src := range sub.Sources {
		topics = append(topics, src.Topic)
	}
	return topics
}

// declared lists the topics of topics.json.
func declared() ([]string, error) {
	text, err := schemas.Files.ReadFile("topics.json")
	if err != nil {
		return nil, err
	}
	var definition struct {
		Topics []struct{ Name string } `json:"topics"`
	}
	if err := json.Unmarshal(text, &definition); err != nil {
		return nil, fmt.Errorf("reading topics.json: %w", err)
	}
	var names []string
	for _, t := range definition.Topics {
		names = append(names, t.Name)
	}
	return names, nil
}

// connect makes the services and encoders over the registry.
func (p *Pipeline) connect(ctx context.Context) error {
	cfg := kafka.Config{Brokers: []string{"simulated:0"}, SchemaRegistry: p.server.URL}
	var err error
	if p.registry, err = kafka.NewRegistry(cfg); err != nil {
		return err
	}
	if p.ledger, err = ledger.NewDecoder(p.registry); err != nil {
		return err
	}
	for _, topic := range written {
		if p.encoders[topic], err = p.registry.Encoder(ctx, order.ValueSubject(topic)); err != nil {
			return err
		}
	}
	if p.inventory, err = inventory.New(inventory.Config{Kafka: cfg}); err != nil {
		return err
	}
	if p.email, err = email.New(email.Config{Kafka: cfg}); err != nil {
		return err
	}
	p.reader, err = verify.NewReader(verify.Config{Brokers: cfg.Brokers, SchemaRegistry: cfg.SchemaRegistry})
	return err
}

// serve answers what readers of schemas ask a Schema Registry.
func serve(memory *registry.Memory) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, s registry.Schema, err error) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
		}
		// The client is gone when this fails, and sees that by itself.
		_ = json.NewEncoder(w).Encode(map[string]any{"subject": s.Subject, "version": s.Version, "id": s.ID, "schema": s.Text})
	}
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil {
			answer(w, registry.Schema{}, err)
			return
		}
		s, err := memory.SchemaByID(r.Context(), id)
		answer(w, s, err)
	})
	mux.HandleFunc("GET /subjects/{subject}/versions/latest", func(w http.ResponseWriter, r *http.Request) {
		s, err := memory.Latest(r.Context(), r.PathValue("subject"))
		answer(w, s, err)
	})
	return mux
}

// internal reports whether a topic is one within a query.
func internal(topic string) bool { return strings.HasPrefix(topic, "_") }

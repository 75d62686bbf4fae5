package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// notFound is what the registry's error code begins with when it has no such schema.
const notFound = 404

// foreign says why a record makes no sense in its topic.
type foreign struct {
	reason string
	// unknown says that the schema is not known: the record may have made sense once.
	unknown bool
}

func (f *foreign) Error() string { return f.reason }

// records are the full names of the records that ledgers have as entries.
var records = map[string]string{
	"inventory-ledger.v1": "orderflow.InventoryLedgerEntry", "email-ledger.v1": "orderflow.EmailLedgerEntry",
}

// checkForeign: the records of all topics are what they should be, or were written by
// strangers, whom the system passes over; when no stranger may write, it wrote them itself.
func checkForeign(r *Report, h *History, c Claims) {
	r.Foreign = len(h.foreign)
	r.Broken = append(r.Broken, h.lost...)
	if !c.Strangers {
		r.Broken = append(r.Broken, h.foreign...)
	}
}

// strange notes a record that makes no sense, and returns every other error.
func (h *History) strange(rec *kgo.Record, err error) error {
	var f *foreign
	if !errors.As(err, &f) {
		return err
	}
	finding := Finding{RuleReadable, fmt.Sprintf("%s partition %d offset %d", rec.Topic, rec.Partition, rec.Offset), f.reason}
	if f.unknown {
		h.lost = append(h.lost, finding)
	} else {
		h.foreign = append(h.foreign, finding)
	}
	return nil
}

// writer is the schema of those who wrote a record.
type writer struct {
	*avro.Schema
	name   string // the full name of its record
	fields map[string]bool
}

func newWriter(schema *avro.Schema) *writer {
	root := schema.Root()
	w := &writer{Schema: schema, name: root.Name, fields: map[string]bool{}}
	if root.Namespace != "" && !strings.Contains(root.Name, ".") {
		w.name = root.Namespace + "." + root.Name
	}
	for _, field := range root.Fields {
		w.fields[field.Name] = true
	}
	return w
}

// value decodes the value of a record. The error is a *foreign when it never will be one.
func value[V any](ctx context.Context, r *Reader, rec *kgo.Record) (v V, err error) {
	var header sr.ConfluentHeader
	id, payload, err := header.DecodeID(rec.Value)
	if err != nil {
		return v, &foreign{reason: "it has no schema id in front: " + err.Error()}
	}
	if id < 1 || id > math.MaxInt32 {
		return v, &foreign{reason: fmt.Sprintf("no registry gives the schema id %d", id)}
	}
	schema, err := r.schema(ctx, id)
	if err != nil {
		return v, err
	}
	if want, ok := records[rec.Topic]; ok && want != schema.name {
		return v, &foreign{reason: fmt.Sprintf("its schema %d is of %q instead of %s", id, schema.name, want)}
	}
	for field := range reflect.TypeFor[V]().Fields() {
		if tag := field.Tag.Get("avro"); !schema.fields[tag] {
			return v, &foreign{reason: fmt.Sprintf("its schema %d has no field %s", id, tag)}
		}
	}
	rest, err := schema.Decode(payload, &v, avro.SkipUnknown())
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes are left over")
	}
	if err != nil {
		return v, &foreign{reason: fmt.Sprintf("decoding a value of schema %d: %v", id, err)}
	}
	return v, nil
}

// foreignSchema says of an error of the registry's client whether there is no such schema.
func foreignSchema(id int, err error) error {
	var answer *sr.ResponseError
	if errors.As(err, &answer) && answer.ErrorCode/100 == notFound {
		return &foreign{reason: fmt.Sprintf("the registry does not know its schema %d", id), unknown: true}
	}
	return fmt.Errorf("fetching schema %d: %w", id, err)
}

// odd says why an entry of the stock ledger has no meaning; it is empty for one that has.
func (e LedgerEntry) odd(key string) string {
	switch {
	case e.Product == "":
		return "it names no product"
	case e.Product != key:
		return "its key is not its product " + e.Product
	case e.SourceTopic == "" || e.SourcePartition < 0 || e.SourceOffset < 0:
		return "it names no record that it comes from"
	default:
		return ""
	}
}

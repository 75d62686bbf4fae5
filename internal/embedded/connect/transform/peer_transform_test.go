//go:build peers

package transform_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
	"github.com/orderflow/orderflow/internal/peers"
)

// recordsProgram does with the real classes what caseOf does with ours.
//
//go:embed testdata/Records.java
var recordsProgram string

// classOf is a class with its settings.
type classOf struct {
	Class  string            `json:"class"`
	Config map[string]string `json:"config"`
}

// stepOf is a transformation of a chain.
type stepOf struct {
	classOf
	Predicate *classOf `json:"predicate,omitempty"`
	Negate    bool     `json:"negate,omitempty"`
}

type headerOf struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// recordCase is a record on its way through converters and transformations.
type recordCase struct {
	name string

	Steps     []stepOf   `json:"steps"`
	Sink      bool       `json:"sink"`
	Topic     string     `json:"topic"`
	Partition *int32     `json:"partition"`
	Offset    int64      `json:"offset"`
	Timestamp *int64     `json:"timestamp"`
	Key       []byte     `json:"key"`
	Value     []byte     `json:"value"`
	Headers   []headerOf `json:"headers"`
	KeyIn     classOf    `json:"keyIn"`
	ValueIn   classOf    `json:"valueIn"`
	KeyOut    classOf    `json:"keyOut"`
	ValueOut  classOf    `json:"valueOut"`
	Header    classOf    `json:"header"`
	HeaderOut classOf    `json:"headerOut"`
}

type cause struct {
	Class   string  `json:"class"`
	Message *string `json:"message"`
}

// outcome is what became of a record.
type outcome struct {
	Dropped   bool       `json:"dropped,omitempty"`
	Topic     string     `json:"topic,omitempty"`
	Partition *int32     `json:"partition,omitempty"`
	Timestamp *int64     `json:"timestamp,omitempty"`
	Key       []byte     `json:"key,omitempty"`
	Value     []byte     `json:"value,omitempty"`
	Headers   []headerOf `json:"headers,omitempty"`
	Error     []cause    `json:"error,omitempty"`
}

func (o outcome) String() string {
	if len(o.Error) > 0 {
		var parts []string
		for _, c := range o.Error[:o.causes()] {
			message := "null"
			if c.Message != nil {
				message = *c.Message
			}
			// Each language words what is wrong with patterns and base64 its own way.
			message, _, _ = strings.Cut(message, "Invalid regex:")
			message, _, _ = strings.Cut(message, "broken Base64 encoding:")
			parts = append(parts, c.Class+": "+message)
		}
		return "error " + strings.Join(parts, " | ")
	}
	if o.Dropped {
		return "dropped"
	}
	text := fmt.Sprintf("%s %s %s key=%s value=%s", o.Topic, number(o.Partition), number(o.Timestamp), bytesText(o.Key), bytesText(o.Value))
	for _, h := range o.Headers {
		text += " " + h.Key + "=" + bytesText(h.Value)
	}
	return text
}

// causes is how many causes are compared: why settings are wrong is told in one.
func (o outcome) causes() int {
	if o.Error[0].Class == fault.Config {
		return 1
	}
	return len(o.Error)
}

func number[N int32 | int64](n *N) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func bytesText(raw []byte) string {
	if raw == nil {
		return "null"
	}
	return string(raw)
}

// failure is an error as the real one has it: the causes of a fault.
func failure(err error) outcome {
	var list []cause
	for err != nil {
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok {
			list = append(list, cause{"?", new(err.Error())})
			break
		}
		c := cause{Class: f.Class, Message: new(f.Message)}
		list = append(list, c)
		err = f.Cause
	}
	return outcome{Error: list}
}

// configured checks settings as the worker does before it makes anything of them.
func configured(def *config.Definition, settings map[string]string) error {
	if errs := config.Validate(def, "", settings).Errors(); len(errs) > 0 {
		return fault.New(fault.Config, "%s", errs[0])
	}
	return nil
}

func (c *recordCase) chain() (transform.Chain, error) {
	var chain transform.Chain
	for _, s := range c.Steps {
		class, ok := transform.Find(s.Class)
		if !ok {
			return nil, fmt.Errorf("no class %s", s.Class)
		}
		if err := configured(class.Definition, s.Config); err != nil {
			return nil, err
		}
		if err := class.Check(s.Config); err != nil {
			return nil, fault.New(fault.Config, "%s", err)
		}
		made, err := class.New(s.Config)
		if err != nil {
			return nil, err
		}
		step := transform.Step{Transformation: made, Class: s.Class, Negate: s.Negate}
		if s.Predicate != nil {
			class, ok := transform.FindPredicate(s.Predicate.Class)
			if !ok {
				return nil, fmt.Errorf("no class %s", s.Predicate.Class)
			}
			if err := configured(class.Definition, s.Predicate.Config); err != nil {
				return nil, err
			}
			if step.Predicate, err = class.New(s.Predicate.Config); err != nil {
				return nil, err
			}
		}
		chain = append(chain, step)
	}
	return chain, nil
}

// run does the case with our classes.
func (c *recordCase) run() outcome {
	ctx := context.Background()
	chain, err := c.chain()
	if err != nil {
		return failure(err)
	}
	converter := func(of classOf, use convert.Use) convert.Converter {
		made, makeErr := convert.New(convert.Environment{}, of.Class, use, of.Config)
		err = errors.Join(err, makeErr)
		return made
	}
	keyIn, valueIn, keyOut, valueOut := converter(c.KeyIn, convert.Key), converter(c.ValueIn, convert.Value), converter(c.KeyOut, convert.Key), converter(c.ValueOut, convert.Value)
	header, headerOut := converter(c.Header, convert.Header), converter(c.HeaderOut, convert.Header)
	if err != nil {
		return failure(err)
	}
	r := &plugin.Record{Topic: c.Topic, Partition: c.Partition, Timestamp: c.Timestamp}
	if c.Sink {
		r.KafkaTopic, r.KafkaPartition, r.KafkaOffset = c.Topic, *c.Partition, c.Offset
	} else {
		r.SourcePartition, r.SourceOffset = map[string]any{"p": "x"}, map[string]any{"o": int64(1)}
	}
	if r.KeySchema, r.Key, err = keyIn.ToConnect(ctx, c.Topic, c.Key); err != nil {
		return failure(err)
	}
	if r.ValueSchema, r.Value, err = valueIn.ToConnect(ctx, c.Topic, c.Value); err != nil {
		return failure(err)
	}
	for _, h := range c.Headers {
		one := plugin.Header{Key: h.Key}
		if one.Schema, one.Value, err = header.ToConnect(ctx, c.Topic, h.Value); err != nil {
			return failure(err)
		}
		r.Headers = append(r.Headers, one)
	}
	out, err := chain.Apply(r)
	if err != nil {
		return failure(err)
	}
	if out == nil {
		return outcome{Dropped: true}
	}
	o := outcome{Topic: out.Topic, Partition: out.Partition, Timestamp: out.Timestamp}
	if o.Key, err = keyOut.FromConnect(ctx, out.Topic, out.KeySchema, out.Key); err != nil {
		return failure(err)
	}
	if o.Value, err = valueOut.FromConnect(ctx, out.Topic, out.ValueSchema, out.Value); err != nil {
		return failure(err)
	}
	for _, h := range out.Headers {
		raw, err := headerOut.FromConnect(ctx, out.Topic, h.Schema, h.Value)
		if err != nil {
			return failure(err)
		}
		o.Headers = append(o.Headers, headerOf{h.Key, raw})
	}
	return o
}

// safely runs a case; a panic is an outcome that matches nothing.
func (c *recordCase) safely() (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = outcome{Error: []cause{{"panic", new(fmt.Sprint(p))}}}
		}
	}()
	return c.run()
}

// realOutcomes does cases with the real classes.
func realOutcomes(t *testing.T, cases []*recordCase) []outcome {
	t.Helper()
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, c := range cases {
		if c.Headers == nil {
			c.Headers = []headerOf{}
		}
		require.NoError(t, lines.Encode(c))
	}
	raw := peers.RunJava(t, recordsProgram, in.Bytes(),
		"org.apache.kafka:connect-runtime:3.9.1", "org.apache.kafka:connect-json:3.9.1", "org.apache.kafka:connect-transforms:3.9.1", "org.slf4j:slf4j-nop:1.7.36")
	var list []outcome
	for answers := json.NewDecoder(bytes.NewReader(raw)); answers.More(); {
		var o outcome
		require.NoError(t, answers.Decode(&o))
		list = append(list, o)
	}
	require.Len(t, list, len(cases))
	return list
}

// identity is what Java writes for bytes: where they lie in memory.
var identity = regexp.MustCompile(`\[B@[0-9a-f]+`)

// maxShown is how many differences of one group are shown.
const maxShown = 60

// compareCases runs cases on both sides, shows what differs and counts.
func compareCases(t *testing.T, what string, cases []*recordCase, known map[string]string) {
	t.Helper()
	theirs := realOutcomes(t, cases)
	alike := 0
	shown := map[string]int{}
	unexpected := map[string]bool{}
	for name := range known {
		unexpected[name] = true
	}
	for i, c := range cases {
		want, got := theirs[i].String(), c.safely().String()
		if want == got || identity.MatchString(want) {
			alike++
			continue
		}
		if _, ok := known[c.name]; ok {
			delete(unexpected, c.name)
			continue
		}
		group, _, _ := strings.Cut(c.name, " ")
		if shown[group]++; shown[group] <= maxShown {
			assert.Fail(t, "they differ", "%s\nreal: %s\nours: %s", c.name, want, got)
		} else {
			t.Fail()
		}
	}
	for group, n := range shown {
		t.Logf("%s: %d differ", group, n)
	}
	assert.Empty(t, slices.Sorted(maps.Keys(unexpected)), "these are listed as different and are alike")
	t.Logf("%s: %d of %d alike", what, alike, len(cases))
}

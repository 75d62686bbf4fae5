package connectors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Stop ends a connector's tasks and gives their resources back; its configuration
// and its offsets stay. It waits until the connector is stopped.
func (c *Client) Stop(ctx context.Context, name string) error {
	if err := c.call(ctx, http.MethodPut, connectorPath(name)+"/stop", nil, nil); err != nil {
		return err
	}
	return c.await(ctx, name, "stopped", func(s Status) bool { return s.Connector.State == "STOPPED" && len(s.Tasks) == 0 })
}

// Resume lets a stopped or paused connector go on.
func (c *Client) Resume(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPut, connectorPath(name)+"/resume", nil, nil)
}

// ResetOffsets makes a stopped connector forget how far it has come.
func (c *Client) ResetOffsets(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, connectorPath(name)+"/offsets", nil, nil)
}

// Consumed gives the offsets that a sink connector has committed, by topic and
// partition: the next ones that it reads.
func (c *Client) Consumed(ctx context.Context, name string) (map[string]map[int32]int64, error) {
	var answer struct {
		Offsets []struct {
			Partition struct {
				Topic     string `json:"kafka_topic"`
				Partition int32  `json:"kafka_partition"`
			} `json:"partition"`
			Offset struct {
				Offset int64 `json:"kafka_offset"`
			} `json:"offset"`
		} `json:"offsets"`
	}
	if err := c.call(ctx, http.MethodGet, connectorPath(name)+"/offsets", nil, &answer); err != nil {
		return nil, err
	}
	consumed := map[string]map[int32]int64{}
	for _, o := range answer.Offsets {
		if consumed[o.Partition.Topic] == nil {
			consumed[o.Partition.Topic] = map[int32]int64{}
		}
		consumed[o.Partition.Topic][o.Partition.Partition] = o.Offset.Offset
	}
	return consumed, nil
}

// await asks for a connector's status until it is as wanted.
func (c *Client) await(ctx context.Context, name, what string, ok func(Status) bool) error {
	pause := time.NewTicker(retryPause)
	defer pause.Stop()
	for {
		s, err := c.Status(ctx, name)
		if err == nil && ok(s) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting until the connector %s is %s: %w", name, what, ctx.Err()), err)
		case <-pause.C:
		}
	}
}

// sinkClass is the connector that writes an index for each topic.
const sinkClass = "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector"

// CheckIndexing reports why the indexes of a connector can't be made anew.
func (c *Client) CheckIndexing(ctx context.Context, name string) error {
	_, _, err := c.indexing(ctx, name)
	return err
}

// indexing gives the settings and the topics of an Elasticsearch sink connector.
func (c *Client) indexing(ctx context.Context, name string) (config map[string]string, topics []string, err error) {
	config, err = c.Config(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case config == nil:
		return nil, nil, fmt.Errorf("there is no connector %s (`orderflow connectors apply`)", name)
	case config["connector.class"] != sinkClass:
		return nil, nil, fmt.Errorf("the connector %s is a %s; only the indexes of an %s can be made anew", name, config["connector.class"], sinkClass)
	case config["topics"] == "":
		return nil, nil, fmt.Errorf("the connector %s names its topics by a pattern; name them in \"topics\"", name)
	}
	for topic := range strings.SplitSeq(config["topics"], ",") {
		topics = append(topics, strings.TrimSpace(topic))
	}
	return config, topics, nil
}

// Rebuild makes the indexes of an Elasticsearch sink connector anew from its topics:
// it stops the connector, makes it forget its offsets, deletes the indexes and lets
// it go on. deleteIndex deletes one index; step, which may be nil, is told what
// happens. It may be run again after it failed at any point.
func (c *Client) Rebuild(ctx context.Context, name string, deleteIndex func(ctx context.Context, index string) error, step func(string)) (topics []string, err error) {
	if step == nil {
		step = func(string) {}
	}
	config, topics, err := c.indexing(ctx, name)
	if err != nil {
		return nil, err
	}
	failed := func(doing string, err error) error {
		return fmt.Errorf("%s; run the command again, or let the connector go on as it is with PUT %s%s/resume: %w", doing, c.base, connectorPath(name), err)
	}
	step("stopping the connector " + name)
	if err := c.Stop(ctx, name); err != nil {
		return nil, failed("stopping the connector "+name, err)
	}
	step("resetting its offsets")
	if err := c.ResetOffsets(ctx, name); err != nil {
		return nil, failed("resetting the offsets of the connector "+name, err)
	}
	for _, topic := range topics {
		index, err := indexOf(config, topic)
		if err != nil {
			return nil, failed("finding the index of the topic "+topic, err)
		}
		step("deleting the index " + index)
		if err := deleteIndex(ctx, index); err != nil {
			return nil, failed("deleting the index "+index, err)
		}
	}
	step("resuming the connector " + name)
	if err := c.Resume(ctx, name); err != nil {
		return nil, failed("resuming the connector "+name, err)
	}
	return topics, c.Wait(ctx, []string{name})
}

// routerClass is the transformation that gives a topic another name.
const routerClass = "org.apache.kafka.connect.transforms.RegexRouter"

// indexOf gives the index that a connector writes for a topic: its name in lower case,
// after the transformations that rename it.
func indexOf(config map[string]string, topic string) (string, error) {
	for alias := range strings.SplitSeq(config["transforms"], ",") {
		prefix := "transforms." + strings.TrimSpace(alias) + "."
		if config[prefix+"type"] != routerClass {
			continue
		}
		if config[prefix+"predicate"] != "" {
			return "", fmt.Errorf("%s routes by a predicate; delete the index yourself", prefix+"type")
		}
		pattern, err := regexp.Compile("^(?:" + config[prefix+"regex"] + ")$")
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", prefix+"regex", err)
		}
		replacement := javaGroup.ReplaceAllString(config[prefix+"replacement"], "$${$1}")
		topic = pattern.ReplaceAllString(topic, replacement)
	}
	return strings.ToLower(topic), nil
}

// javaGroup is how Java names a group in a replacement.
var javaGroup = regexp.MustCompile(`\$(\d+)`)

// Reach waits until a sink connector has read its topics up to some offsets, those
// of the next records. A connector commits its offsets only now and then.
func (c *Client) Reach(ctx context.Context, name string, ends map[string]map[int32]int64) error {
	behind := func(consumed map[string]map[int32]int64) string {
		for _, topic := range slices.Sorted(maps.Keys(ends)) {
			for _, partition := range slices.Sorted(maps.Keys(ends[topic])) {
				if at, end := consumed[topic][partition], ends[topic][partition]; at < end {
					return fmt.Sprintf("%s partition %d is read up to %d of %d", topic, partition, at, end)
				}
			}
		}
		return ""
	}
	pause := time.NewTicker(retryPause)
	defer pause.Stop()
	for {
		consumed, err := c.Consumed(ctx, name)
		where := ""
		if err == nil {
			if where = behind(consumed); where == "" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for the connector %s to read its topics (%s): %w", name, where, ctx.Err()), err)
		case <-pause.C:
		}
	}
}

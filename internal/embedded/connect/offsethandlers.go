package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// Changing the offsets of a connector is done in its STOPPED state only.
const notStopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint"

const (
	offsetsAlteredByConnector = "The offsets for this connector have been altered successfully"
	offsetsResetByConnector   = "The offsets for this connector have been reset successfully"

	offsetsAltered = "The Connect framework-managed offsets for this connector have been altered successfully. However, if this connector manages offsets externally, they will need to be manually altered in the system that the connector uses."
	offsetsReset   = "The Connect framework-managed offsets for this connector have been reset successfully. However, if this connector manages offsets externally, they will need to be manually reset in the system that the connector uses."
)

func (w *worker) stopped(name string) (*connector, error) {
	connector, err := w.known(name)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if connector.target != stateStopped || connector.status.state != stateStopped || len(connector.tasks) > 0 {
		return nil, fail(http.StatusBadRequest, notStopped, name)
	}
	return connector, nil
}

// partsOf reads a partition or an offset, nil for null and for one that is left out.
func partsOf(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	return decodeParts(raw)
}

// offsetsType is the Java type that offsets in a body are read as.
const offsetsType = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets"

// offsetChecker gives the class of a connector if it looks at offsets, else nil.
func (w *worker) offsetChecker(c *connector) plugin.OffsetChecker {
	class, err := findPlugin(w.info(c).Config[classSetting])
	if err != nil {
		return nil
	}
	checker, _ := class.(plugin.OffsetChecker)
	return checker
}

func patchOffsets(w *worker, c *call) (*answer, error) {
	var request struct {
		Offsets []struct {
			Partition json.RawMessage `json:"partition"`
			Offset    json.RawMessage `json:"offset"`
		} `json:"offsets"`
	}
	parts, err := members(c.body, offsetsType)
	if err != nil {
		return nil, err
	}
	if isNull(c.body) {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "%s.offsets()" because "offsets" is null`, offsetsType)
	}
	for _, m := range parts {
		if value := c.body[m.start:m.end]; m.name == "offsets" && value[0] != '[' && string(value) != "null" {
			return nil, fail(http.StatusInternalServerError, "Cannot deserialize value of type `java.util.ArrayList<org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset>` from %s\n at %s (through reference chain: %s[\"offsets\"])", tokenOf(value), at(c.body, m.start), offsetsType)
		}
	}
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, malformed(err)
	}
	if _, err := w.known(c.vars[0]); err != nil {
		return nil, err
	}
	if len(request.Offsets) == 0 {
		return nil, fail(http.StatusBadRequest, "Partitions / offsets need to be provided for an alter offsets request")
	}
	connector, err := w.stopped(c.vars[0])
	if err != nil {
		return nil, err
	}
	list := make([]storedOffset, len(request.Offsets))
	for i, o := range request.Offsets {
		if list[i].partition, err = partsOf(o.Partition); err != nil {
			return nil, fail(http.StatusBadRequest, "The partition %s can't be read: %s", o.Partition, err)
		}
		if list[i].offset, err = partsOf(o.Offset); err != nil {
			return nil, fail(http.StatusBadRequest, "The offset %s can't be read: %s", o.Offset, err)
		}
	}
	message := offsetsAltered
	if checker := w.offsetChecker(connector); checker != nil {
		for _, o := range list {
			if err := checker.CheckOffset(o.partition, o.offset); err != nil {
				return nil, fail(http.StatusInternalServerError, "%s", err)
			}
		}
		message = offsetsAlteredByConnector
	}
	ctx := context.WithoutCancel(c.req.Context())
	if isSource(w.info(connector).Config) {
		err = w.store.saveOffsets(ctx, connector.name, list)
	} else {
		err = w.alterGroup(ctx, connector.name, list)
	}
	if err != nil {
		return nil, err
	}
	return ok(map[string]string{"message": message})
}

func deleteOffsets(w *worker, c *call) (*answer, error) {
	connector, err := w.stopped(c.vars[0])
	if err != nil {
		return nil, err
	}
	ctx := context.WithoutCancel(c.req.Context())
	if isSource(w.info(connector).Config) {
		list := w.store.offsetsOf(connector.name)
		for i := range list {
			list[i].offset = nil
		}
		err = w.store.saveOffsets(ctx, connector.name, list)
	} else {
		err = w.forgetGroup(ctx, connector.name)
	}
	if err != nil {
		return nil, err
	}
	if w.offsetChecker(connector) != nil {
		return ok(map[string]string{"message": offsetsResetByConnector})
	}
	return ok(map[string]string{"message": offsetsReset})
}

// alterGroup commits offsets for a sink's consumer group, or deletes them.
func (w *worker) alterGroup(ctx context.Context, name string, list []storedOffset) error {
	commit := kadm.Offsets{}
	drop := kadm.TopicsSet{}
	for _, o := range list {
		if o.partition == nil {
			return fail(http.StatusBadRequest, "The partition for a sink connector offset cannot be null or missing")
		}
		topic, hasTopic := o.partition["kafka_topic"].(string)
		raw, hasPartition := o.partition["kafka_partition"]
		if !hasTopic || !hasPartition {
			return fail(http.StatusBadRequest, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
		}
		partition, err := strconv.ParseInt(fmt.Sprint(raw), 10, 32)
		if err != nil {
			return fail(http.StatusBadRequest, "Failed to parse the following Kafka partition value in the provided offsets: '%v'. Partition values for sink connectors need to be integers.", raw)
		}
		if o.offset == nil {
			drop.Add(topic, int32(partition))
			continue
		}
		position, given := o.offset["kafka_offset"]
		if !given {
			return fail(http.StatusBadRequest, "The offset for a sink connector should either be null or contain the key 'kafka_offset'")
		}
		at, err := strconv.ParseInt(fmt.Sprint(position), 10, 64)
		if err != nil {
			return fail(http.StatusBadRequest, "Failed to parse the following Kafka offset value in the provided offsets: '%v'. Offset values for sink connectors need to be integers.", position)
		}
		commit.AddOffset(topic, int32(partition), at, -1)
	}
	admin := kadm.NewClient(w.store.client)
	if len(commit) > 0 {
		if err := admin.CommitAllOffsets(ctx, groupPrefix+name, commit); err != nil {
			return fmt.Errorf("committing offsets of group %s%s: %w", groupPrefix, name, err)
		}
	}
	if len(drop) > 0 {
		deleted, err := admin.DeleteOffsets(ctx, groupPrefix+name, drop)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			return fmt.Errorf("deleting offsets of group %s%s: %w", groupPrefix, name, err)
		}
	}
	return nil
}

// forgetGroup deletes all offsets of a sink's consumer group.
func (w *worker) forgetGroup(ctx context.Context, name string) error {
	_, err := kadm.NewClient(w.store.client).DeleteGroup(ctx, groupPrefix+name)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("deleting the group %s%s: %w", groupPrefix, name, err)
	}
	return nil
}

package catalog

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
)

const (
	journalFile = "catalog"
	topicsDir   = "topics"

	topicKey    = "topic/"
	startKey    = "start/"
	goneKey     = "gone/" // directory of a deleted topic whose files may still be there
	producerKey = "producer-ids"
	clusterKey  = "cluster-id"

	// producerBlock is how many producer ids are reserved at a time.
	producerBlock = 1000
	// maxProducer is what the ids that were given out are below, for ever.
	maxProducer = 1 << 60
	// producerAge is how long a silent producer is remembered, as Kafka's
	// producer.id.expiration.ms.
	producerAge = 24 * time.Hour

	// MaxPartitions is how many partitions a topic can have.
	MaxPartitions = 10_000
	// MaxInAll is how many partitions there can be, of all topics: each takes memory,
	// also after the next start.
	MaxInAll = 100_000
	// maxNameInPath keeps directory names within what file systems allow.
	maxNameInPath = 200

	defaultOpenTogether = 4
)

// ID is a topic's id.
type ID [16]byte

// Topic is one topic. Partitions only ever grows, by a new Topic in its place.
type Topic struct {
	Name       string
	ID         ID
	Partitions []*commitlog.Log
	values     atomic.Pointer[settings.Values]
	log        atomic.Pointer[commitlog.Settings]
}

// Values are the topic's settings that differ from the defaults.
func (t *Topic) Values() settings.Values { return *t.values.Load() }

// Log is what the topic's settings mean for its logs.
func (t *Topic) Log() *commitlog.Settings { return t.log.Load() }

// Partition gives the log of a partition, nil when there is none.
func (t *Topic) Partition(p int32) *commitlog.Log {
	if p < 0 || int(p) >= len(t.Partitions) {
		return nil
	}
	return t.Partitions[p]
}

func (t *Topic) set(values settings.Values) {
	t.values.Store(&values)
	t.log.Store(values.Log())
}

// stored is how the journal keeps a topic.
type stored struct {
	ID         string          `json:"id"`
	Partitions int             `json:"partitions"`
	Settings   settings.Values `json:"settings,omitempty"`
}

// Config says where a catalog keeps its data.
type Config struct {
	Env *commitlog.Env
	Dir string
	// OpenTogether is how many logs are opened at a time when the catalog is. 0 means
	// 4.
	OpenTogether int
}

// Catalog is an open catalog. Its methods may be called from any goroutine.
type Catalog struct {
	cfg     Config
	log     *slog.Logger
	journal *journal.Journal
	cluster string

	changes sync.Mutex // held while a topic is made, changed or deleted

	mu     sync.RWMutex // guards what follows; taken after changes
	topics map[string]*Topic
	ids    map[ID]*Topic

	producers struct {
		sync.Mutex
		next, reserved int64
	}
}

// Open opens the catalog in a directory, which must exist, and all logs.
func Open(cfg Config) (*Catalog, error) {
	if cfg.OpenTogether == 0 {
		cfg.OpenTogether = defaultOpenTogether
	}
	c := &Catalog{cfg: cfg, log: cfg.Env.Logger, topics: map[string]*Topic{}, ids: map[ID]*Topic{}}
	var err error
	c.journal, err = journal.Open(journal.Config{
		FS: cfg.Env.FS, Path: filepath.Join(cfg.Dir, journalFile), Sync: cfg.Env.Sync, Logger: c.log,
	})
	if err != nil {
		return nil, err
	}
	if err := c.load(); err != nil {
		return nil, errors.Join(err, c.journal.Close())
	}
	return c, nil
}

func (c *Catalog) load() error {
	if c.cluster = string(c.journal.Get(clusterKey)); c.cluster == "" {
		id := newID()
		c.cluster = base64.RawURLEncoding.EncodeToString(id[:])
		if err := c.journal.Apply(journal.Change{Key: clusterKey, Value: []byte(c.cluster)}); err != nil {
			return err
		}
	}
	if raw := c.journal.Get(producerKey); raw != nil {
		next, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return fmt.Errorf("reading the next producer id: %w", err)
		}
		c.producers.next, c.producers.reserved = next, next
	}
	var group errgroup.Group
	group.SetLimit(c.cfg.OpenTogether)
	for key, raw := range c.journal.All(topicKey) {
		name := strings.TrimPrefix(key, topicKey)
		var s stored
		if err := json.Unmarshal(raw, &s); err != nil {
			return errors.Join(fmt.Errorf("reading what is known of topic %s: %w", name, err), group.Wait())
		}
		id, err := hex.DecodeString(s.ID)
		if err != nil || len(id) != len(ID{}) {
			return errors.Join(fmt.Errorf("topic %s has id %q, which is none", name, s.ID), group.Wait())
		}
		t := &Topic{Name: name, ID: ID(id), Partitions: make([]*commitlog.Log, s.Partitions)}
		t.set(s.Settings)
		for p := range t.Partitions {
			group.Go(func() error {
				var err error
				t.Partitions[p], err = c.open(t, p)
				return err
			})
		}
		c.topics[name], c.ids[t.ID] = t, t
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.skipProducers()
	return c.sweep()
}

// skipProducers has no id given out that a log knows: without syncs, the end of the
// machine may have taken the note of it, and the records of a new producer would be
// taken for those of the former one.
func (c *Catalog) skipProducers() {
	for _, t := range c.topics {
		for _, log := range t.Partitions {
			// A client may also send an id that it made up.
			if next := log.HighestProducer() + 1; next > c.producers.next && next < maxProducer {
				c.producers.next, c.producers.reserved = next, next
			}
		}
	}
}

// sweep removes the directories of topics that were deleted, and names those that
// belong to no topic: what was known of one may have been lost, its records are not.
func (c *Catalog) sweep() error {
	for key := range c.journal.All(goneKey) {
		if err := c.clear(strings.TrimPrefix(key, goneKey)); err != nil {
			c.log.Warn("broker: removing the files of a deleted topic; it is tried again with the next start", "dir", strings.TrimPrefix(key, goneKey), "error", err)
		}
	}
	entries, err := c.cfg.Env.FS.List(filepath.Join(c.cfg.Dir, topicsDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking for directories of no topic: %w", err)
	}
	known := map[string]bool{}
	for key := range c.journal.All(goneKey) {
		known[strings.TrimPrefix(key, goneKey)] = true
	}
	for _, t := range c.topics {
		known[t.dirName()] = true
	}
	for _, e := range entries {
		if known[e.Name] || !e.Dir {
			continue
		}
		c.log.Error("broker: a directory of records belongs to no topic that is known; it is left as it is. Bring the file that lists the topics back from a copy (while the broker is stopped), or remove the directory",
			"dir", filepath.Join(c.cfg.Dir, topicsDir, e.Name), "file", filepath.Join(c.cfg.Dir, journalFile))
	}
	return nil
}

// clear removes the files of a deleted topic and then the note that they have to go.
func (c *Catalog) clear(dirName string) error {
	if err := c.cfg.Env.FS.Remove(filepath.Join(c.cfg.Dir, topicsDir, dirName)); err != nil {
		return err
	}
	if c.cfg.Env.Sync {
		if err := c.cfg.Env.FS.SyncDir(filepath.Join(c.cfg.Dir, topicsDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return c.journal.Apply(journal.Change{Key: goneKey + dirName})
}

func (t *Topic) dirName() string {
	return t.Name[:min(len(t.Name), maxNameInPath)] + "." + hex.EncodeToString(t.ID[:])
}

func (c *Catalog) dir(t *Topic) string { return filepath.Join(c.cfg.Dir, topicsDir, t.dirName()) }

func (c *Catalog) open(t *Topic, p int) (*commitlog.Log, error) {
	start, err := c.noted(t, p)
	if err != nil {
		return nil, err
	}
	return c.cfg.Env.Open(filepath.Join(c.dir(t), strconv.Itoa(p)), fmt.Sprintf("%s-%d", t.Name, p), start)
}

// noted gives the offset that a partition was trimmed to.
func (c *Catalog) noted(t *Topic, p int) (start int64, err error) {
	if raw := c.journal.Get(startOf(t.Name, p)); raw != nil {
		if start, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
			return 0, fmt.Errorf("reading where %s-%d starts: %w", t.Name, p, err)
		}
	}
	return start, nil
}

func startOf(topic string, p int) string { return startKey + topic + "/" + strconv.Itoa(p) }

func newID() ID {
	var id ID
	rand.Read(id[:]) //nolint:errcheck // documented never to fail
	return id
}

// ClusterID is the id that a data directory got when it was made.
func (c *Catalog) ClusterID() string { return c.cluster }

// Topic gives a topic by name, nil when there is none.
func (c *Catalog) Topic(name string) *Topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.topics[name]
}

// ByID gives a topic by its id, nil when there is none.
func (c *Catalog) ByID(id ID) *Topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ids[id]
}

// Topics gives all topics, by name.
func (c *Catalog) Topics() []*Topic {
	c.mu.RLock()
	topics := slices.Collect(maps.Values(c.topics))
	c.mu.RUnlock()
	slices.SortFunc(topics, func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
	return topics
}

// CheckName reports what is wrong with a topic's name, in Kafka's words.
func CheckName(name string) error {
	invalid := func(reason string) error {
		return refusal.New(kerr.InvalidTopicException, "Topic name is invalid: %s", reason)
	}
	switch {
	case name == "":
		return invalid("the empty string is not allowed")
	case name == "." || name == "..":
		return invalid("'" + name + "' is not allowed")
	case len(name) > 249:
		return invalid("the length of '" + name + "' is longer than the max allowed length 249")
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-') {
			return invalid("'" + name + "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
		}
	}
	return nil
}

// CheckNew reports why a topic can't be made. Errors wrap one of kerr's.
func (c *Catalog) CheckNew(name string, partitions int, values settings.Values) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if partitions < 1 {
		return refusal.New(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value")
	}
	if partitions > MaxPartitions {
		return refusal.New(kerr.InvalidPartitions, "%d partitions; the embedded broker takes up to %d a topic", partitions, MaxPartitions)
	}
	if err := settings.Check(values); err != nil {
		return err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.topics[name] != nil {
		return refusal.New(kerr.TopicAlreadyExists, "Topic '%s' already exists", name)
	}
	// As in Kafka, whose metrics take "." and "_" for the same.
	for other := range c.topics {
		if collide(name, other) {
			return refusal.New(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
		}
	}
	return c.checkRoom(partitions)
}

func collide(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && !(a[i] == '.' && b[i] == '_' || a[i] == '_' && b[i] == '.') {
			return false
		}
	}
	return true
}

// checkRoom reports that there can't be as many more partitions. The caller holds mu.
func (c *Catalog) checkRoom(more int) error {
	for _, t := range c.topics {
		more += len(t.Partitions)
	}
	if more > MaxInAll {
		return refusal.New(kerr.InvalidPartitions, "There would be %d partitions; the embedded broker takes up to %d in all topics", more, MaxInAll)
	}
	return nil
}

// Create makes a topic.
func (c *Catalog) Create(name string, partitions int, values settings.Values) (*Topic, error) {
	c.changes.Lock()
	defer c.changes.Unlock()
	if err := c.CheckNew(name, partitions, values); err != nil {
		return nil, err
	}
	t := &Topic{Name: name, ID: newID(), Partitions: make([]*commitlog.Log, partitions)}
	t.set(maps.Clone(values))
	for p := range t.Partitions {
		var err error
		if t.Partitions[p], err = c.open(t, p); err != nil {
			return nil, storage(err)
		}
	}
	if err := c.save(t); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.topics[name], c.ids[t.ID] = t, t
	return t, nil
}

func (c *Catalog) save(t *Topic) error {
	raw, err := json.Marshal(stored{ID: hex.EncodeToString(t.ID[:]), Partitions: len(t.Partitions), Settings: t.Values()})
	if err != nil {
		return fmt.Errorf("noting topic %s: %w", t.Name, err)
	}
	return storage(c.journal.Apply(journal.Change{Key: topicKey + t.Name, Value: raw}))
}

func storage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", err, kerr.KafkaStorageError)
}

func unknownTopic() error {
	return refusal.New(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition")
}

// Delete deletes a topic with all its records.
func (c *Catalog) Delete(t *Topic) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	if t = c.ByID(t.ID); t == nil {
		return unknownTopic()
	}
	changes := []journal.Change{{Key: topicKey + t.Name}, {Key: goneKey + t.dirName(), Value: []byte{1}}}
	for p := range t.Partitions {
		if key := startOf(t.Name, p); c.journal.Get(key) != nil {
			changes = append(changes, journal.Change{Key: key})
		}
	}
	if err := c.journal.Apply(changes...); err != nil {
		return storage(err)
	}
	c.mu.Lock()
	delete(c.topics, t.Name)
	delete(c.ids, t.ID)
	c.mu.Unlock()
	for _, log := range t.Partitions {
		log.Remove()
	}
	if err := c.clear(t.dirName()); err != nil {
		// The topic is gone; its files go with the next start at the latest.
		c.log.Warn("broker: removing the files of a deleted topic", "topic", t.Name, "error", err)
	}
	return nil
}

// CheckGrow reports why a topic can't get a number of partitions.
func (c *Catalog) CheckGrow(t *Topic, partitions int) error {
	switch now := len(t.Partitions); {
	case partitions < now:
		return refusal.New(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, now, partitions)
	case partitions == now:
		return refusal.New(kerr.InvalidPartitions, "Topic already has %d partition(s).", now)
	case partitions > MaxPartitions:
		return refusal.New(kerr.InvalidPartitions, "%d partitions; the embedded broker takes up to %d a topic", partitions, MaxPartitions)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.checkRoom(partitions - len(t.Partitions))
}

// Grow gives a topic more partitions.
func (c *Catalog) Grow(t *Topic, partitions int) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	if t = c.ByID(t.ID); t == nil {
		return unknownTopic()
	}
	if err := c.CheckGrow(t, partitions); err != nil {
		return err
	}
	grown := &Topic{Name: t.Name, ID: t.ID, Partitions: slices.Clone(t.Partitions)}
	grown.set(t.Values())
	for p := len(t.Partitions); p < partitions; p++ {
		log, err := c.open(t, p)
		if err != nil {
			return storage(err)
		}
		grown.Partitions = append(grown.Partitions, log)
	}
	if err := c.save(grown); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.topics[t.Name], c.ids[t.ID] = grown, grown
	return nil
}

// Configure gives a topic the settings that change makes of the present ones.
func (c *Catalog) Configure(t *Topic, validateOnly bool, change func(settings.Values) error) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	if t = c.ByID(t.ID); t == nil {
		return unknownTopic()
	}
	values := maps.Clone(t.Values())
	if values == nil {
		values = settings.Values{}
	}
	if err := change(values); err != nil {
		return err
	}
	if err := settings.Check(values); err != nil {
		return err
	}
	if validateOnly {
		return nil
	}
	old := t.Values()
	t.set(values)
	if err := c.save(t); err != nil {
		t.set(old)
		return err
	}
	return nil
}

// Trim deletes the records of a partition before an offset, -1 for all, and gives
// the first offset that is left.
func (c *Catalog) Trim(t *Topic, p int32, offset int64) (int64, error) {
	log := t.Partition(p)
	if log == nil {
		return 0, unknownTopic()
	}
	if values := t.Values(); !values.Deleted() {
		return 0, refusal.New(kerr.PolicyViolation, "topic %s keeps the newest record of each key (cleanup.policy=compact); its records can't be deleted", t.Name)
	}
	start, err := log.Trimmed(offset)
	if err != nil {
		return 0, err
	}
	c.changes.Lock()
	defer c.changes.Unlock()
	if c.ByID(t.ID) == nil {
		return 0, unknownTopic()
	}
	noted, err := c.noted(t, int(p))
	if err != nil {
		return 0, storage(err)
	}
	// What retention has removed can be back with the machine's end.
	now, _ := log.Bounds()
	if start = max(start, now); start <= noted || start == now && !c.cfg.Env.Sync {
		return start, nil
	}
	change := journal.Change{Key: startOf(t.Name, int(p)), Value: strconv.AppendInt(nil, start, 10)}
	if err := c.journal.Apply(change); err != nil {
		return 0, storage(err)
	}
	if err := log.TrimTo(start); err != nil {
		return 0, storage(err)
	}
	return start, nil
}

// ProducerID gives an id that no producer had before.
func (c *Catalog) ProducerID() (int64, error) {
	p := &c.producers
	p.Lock()
	defer p.Unlock()
	if p.next == p.reserved {
		reserved := p.next + producerBlock
		change := journal.Change{Key: producerKey, Value: strconv.AppendInt(nil, reserved, 10)}
		if err := c.journal.Apply(change); err != nil {
			return 0, storage(err)
		}
		p.reserved = reserved
	}
	p.next++
	return p.next - 1, nil
}

// Keep gives the first offset of a partition that someone may still need,
// however old it is; the highest number when nobody does.
type Keep func(topic string, partition int32) int64

// Housekeep removes what is older than the topics' retention, but not what keep
// says is needed, compacts, and has the logs do what is due. Errors of one partition don't
// keep the others from it.
func (c *Catalog) Housekeep(keep Keep) error {
	var errs []error
	now := c.cfg.Env.Now()
	for _, t := range c.Topics() {
		values := t.Values()
		retention := commitlog.Retention{}
		retention.Age, retention.Bytes = values.Retention()
		for p, log := range t.Partitions {
			errs = append(errs, log.Housekeep(producerAge))
			if values.Compacted() {
				_, err := log.Compact(values.Compaction())
				errs = append(errs, err)
			}
			if !values.Deleted() || retention.Age < 0 && retention.Bytes < 0 {
				continue
			}
			retention.Keep = keep(t.Name, int32(p))
			_, err := log.Retain(retention, now)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close notes how far the logs are sound. The catalog isn't used afterwards.
func (c *Catalog) Close() error {
	var errs []error
	for _, t := range c.Topics() {
		for _, log := range t.Partitions {
			errs = append(errs, log.Close())
		}
	}
	return errors.Join(append(errs, c.journal.Close())...)
}

package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/order"
)

// A snapshot is the fold of a ledger partition up to an offset, in a local file. It is a
// cache: whoever finds one goes on from there, and comes to the same as from the start. It
// holds the digest of the last record that was folded in or passed over, so that one of
// another ledger, or of one that was made anew, is recognised and left alone.
//
// The file: the magic bytes, a version, the content, and a CRC-32C of all before it. Whole
// numbers are varints, texts have their length in front.

const (
	snapshotMagic = "OFLEDGER"
	// snapshotVersion also changes when a record of the ledger gets another meaning.
	snapshotVersion = 2
)

// errNoSnapshot means that there is no usable file.
var errNoSnapshot = errors.New("no snapshot")

// snapshot is the content of a file.
type snapshot struct {
	// next is the offset after the last record that was folded in or passed over, and last
	// its digest.
	next int64
	last digest
	fold *Fold
	// lastSet has the source of the last stock-set, by product.
	lastSet map[string]Source
}

// digest recognises a record of the ledger.
type digest [16]byte

func digestOf(rec *kgo.Record) digest {
	var d digest
	data := binary.BigEndian.AppendUint64(nil, uint64(rec.Offset))
	data = binary.BigEndian.AppendUint64(data, uint64(len(rec.Key)))
	sum := sha256.Sum256(slices.Concat(data, rec.Key, rec.Value))
	copy(d[:], sum[:])
	return d
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the file's bytes.
func (s snapshot) encode() []byte {
	e := encoder{buf: make([]byte, 0, 64+96*len(s.fold.orders))}
	e.buf = append(e.buf, snapshotMagic...)
	e.number(snapshotVersion)
	e.number(s.next)
	e.buf = append(e.buf, s.last[:]...)
	e.number(int64(len(s.fold.stock)))
	for _, stock := range s.fold.stock {
		e.text(stock.Product)
		e.number(stock.Warehouse)
		e.number(stock.Reserved)
	}
	e.sources(s.fold.stockSets)
	e.number(int64(len(s.lastSet)))
	for product, source := range s.lastSet {
		e.text(product)
		e.source(source)
	}
	e.number(int64(len(s.fold.orders)))
	for id, a := range s.fold.orders {
		e.text(id)
		e.flags(a.asked, a.closed, a.reservation.Open, a.reservation.Result == order.Pass)
		if a.asked {
			e.text(a.reservation.Product)
			e.number(int64(a.reservation.Quantity))
			e.number(a.reservation.Available)
		}
	}
	return binary.BigEndian.AppendUint32(e.buf, crc32.Checksum(e.buf, castagnoli))
}

// decodeSnapshot reads a file's bytes.
func decodeSnapshot(data []byte) (snapshot, error) {
	s := snapshot{fold: NewFold(), lastSet: map[string]Source{}}
	body, ok := bytes.CutPrefix(data, []byte(snapshotMagic))
	if !ok || len(body) < crc32.Size {
		return s, errors.New("it is no snapshot")
	}
	sum := data[len(data)-crc32.Size:]
	if crc32.Checksum(data[:len(data)-crc32.Size], castagnoli) != binary.BigEndian.Uint32(sum) {
		return s, errors.New("its checksum is wrong")
	}
	d := decoder{rest: body[:len(body)-crc32.Size]}
	if version := d.number(); version != snapshotVersion {
		return s, fmt.Errorf("its version is %d; this program reads version %d", version, snapshotVersion)
	}
	s.next = d.number()
	copy(s.last[:], d.bytes(len(s.last)))
	for range d.count() {
		stock := Stock{Product: d.text(), Warehouse: d.number(), Reserved: d.number()}
		s.fold.stock[stock.Product] = &stock
	}
	for range d.count() {
		source := d.source()
		offset := source.Offset
		source.Offset = 0
		s.fold.stockSets[source] = offset
	}
	for range d.count() {
		product := d.text()
		s.lastSet[product] = d.source()
	}
	products := map[string]string{} // one copy of each name
	for range d.count() {
		id := d.text()
		flags := d.flags()
		a := account{asked: flags&1 != 0, closed: flags&2 != 0}
		if a.asked {
			name := d.text()
			if products[name] == "" {
				products[name] = name
			}
			a.reservation = Reservation{Product: products[name], Quantity: int32(d.number()), Available: d.number(), Open: flags&4 != 0, Result: order.Fail}
			if flags&8 != 0 {
				a.reservation.Result = order.Pass
			}
		}
		s.fold.orders[id] = &a
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("%d bytes are left over", len(d.rest))
	}
	return s, d.err
}

type encoder struct{ buf []byte }

func (e *encoder) number(n int64) { e.buf = binary.AppendVarint(e.buf, n) }

func (e *encoder) text(s string) {
	e.number(int64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) source(s Source) {
	e.text(s.Topic)
	e.number(int64(s.Partition))
	e.number(s.Offset)
}

func (e *encoder) sources(offsets map[Source]int64) {
	e.number(int64(len(offsets)))
	for source, offset := range offsets {
		source.Offset = offset
		e.source(source)
	}
}

func (e *encoder) flags(set ...bool) {
	var b byte
	for i, on := range set {
		if on {
			b |= 1 << i
		}
	}
	e.buf = append(e.buf, b)
}

// decoder reads what encoder wrote. After an error it reads zeroes.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errors.New("it ends too early")
	}
	d.rest = nil
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// count reads how many follow, none of which takes less than a byte.
func (d *decoder) count() int {
	n := d.number()
	if n < 0 || n > int64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string { return string(d.bytes(d.count())) }

func (d *decoder) source() Source {
	return Source{Topic: d.text(), Partition: int32(d.number()), Offset: d.number()}
}

func (d *decoder) flags() byte {
	if b := d.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// snapshotPath names the file of a partition's snapshot.
func snapshotPath(dir string, partition int32) string {
	return filepath.Join(dir, fmt.Sprintf("%s-%d.snapshot", order.TopicInventoryLedger, partition))
}

// loadSnapshot reads a partition's snapshot. The error is errNoSnapshot when there is none.
func loadSnapshot(dir string, partition int32) (snapshot, error) {
	data, err := os.ReadFile(snapshotPath(dir, partition))
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot{}, errNoSnapshot
	}
	if err != nil {
		return snapshot{}, err
	}
	s, err := decodeSnapshot(data)
	if err != nil {
		return snapshot{}, fmt.Errorf("reading %s: %w", snapshotPath(dir, partition), err)
	}
	return s, nil
}

// saveSnapshot writes a partition's snapshot: whole, or not at all.
func saveSnapshot(dir string, partition int32, data []byte) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), snapshotPath(dir, partition))
}

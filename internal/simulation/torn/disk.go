// Package torn has a disk in memory for simulations: it remembers the order of all
// changes, so that a process, or the machine, can end between any two bytes of them.
//
// The same disk is seen as a file system of the broker ([Disk.Files]) and as one of
// pebble ([Disk.Pebble]).
//
// What a killed process leaves is what it had handed over, up to a point that may lie
// within a write. What an ended machine leaves is less than that: of a file, what was
// synced, and of the changes since then none, all, the first ones up to some byte, or
// those with sectors missing; of a directory, the names of its last sync, and the
// first changes since then. As POSIX has it and Linux is kinder, a file's sync does
// not keep its name: that is what the sync of its directory is for.
//
// Invariants:
//   - What is left is a function of the changes, the point and a number; nothing is
//     drawn from elsewhere, and a file's share doesn't depend on other files.
//   - A disk that an end was made of goes on as it was: what a dead process still does
//     reaches nobody.
package torn

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Kind says what a change does.
type Kind uint8

// The kinds of changes.
const (
	// Write writes bytes to a file.
	Write Kind = iota
	// Truncate gives a file another length.
	Truncate
	// Link gives a new file or directory its name.
	Link
	// Unlink takes a name away.
	Unlink
	// Rename gives something another name, in place of what had it.
	Rename
	// SyncFile has the content of a file survive the end of the machine.
	SyncFile
	// SyncNames has the names in a directory survive it.
	SyncNames
	// lose is a sync that failed: the system forgets what it couldn't write, but
	// still shows it until the machine ends.
	lose
)

// sector is what a disk writes at once, in bytes.
const sector = 512

// Change is what a program is about to do.
type Change struct {
	Kind Kind
	Path string
	Size int // bytes of a write
}

// ErrDead is what a program is told that is dead: nothing of it reaches the disk.
var ErrDead = errors.New("the process is dead")

// Hook decides on a change before it is made. It returns how many bytes of a write are
// made (of all others, any number above 0 means that they are), and the error that the
// program is told. A sync that is not made has failed for good, as on Linux: what it
// was for is shown until the machine ends, and not there afterwards; unless the error
// is ErrDead.
type Hook func(Change) (made int, err error)

// Disk is a file system in memory. Its methods may be called from any goroutine.
type Disk struct {
	mu   sync.Mutex
	base *tree // what nothing can take away; never changed
	ops  []op  // since
	live *tree // what programs see
	hook Hook
}

type op struct {
	kind  Kind
	node  int    // the file or directory that is changed
	at    int64  // of a write; the size of a truncation
	data  []byte // of a write
	name  string
	other string // the new name
	child int    // what gets the name
	label string // of what is made
}

// tree is the content of a disk.
type tree struct {
	nodes map[int]*node
	next  int
}

type node struct {
	label   string // what chance goes by for it
	names   map[string]int
	content []byte
}

const rootNode = 0

// NewDisk makes an empty disk.
func NewDisk() *Disk {
	empty := &tree{nodes: map[int]*node{rootNode: {names: map[string]int{}}}, next: 1}
	return &Disk{base: empty, live: empty.clone()}
}

func (t *tree) clone() *tree {
	c := &tree{nodes: make(map[int]*node, len(t.nodes)), next: t.next}
	for id, n := range t.nodes {
		c.nodes[id] = &node{label: n.label, content: slices.Clone(n.content), names: maps.Clone(n.names)}
	}
	return c
}

// apply makes a change.
func (t *tree) apply(o op) {
	n := t.nodes[o.node]
	switch o.kind {
	case Write:
		n.content = written(n.content, o.data, o.at)
	case Truncate:
		n.content = resized(n.content, o.at)
	case Link:
		if t.nodes[o.child] == nil {
			t.nodes[o.child] = newNode(o)
			t.next = max(t.next, o.child+1)
		}
		n.names[o.name] = o.child
	case Unlink:
		delete(n.names, o.name)
	case Rename:
		delete(n.names, o.name)
		n.names[o.other] = o.child
	}
}

// newNode makes what a Link gives a name, where a directory says so by its size.
func newNode(o op) *node {
	n := &node{label: o.label}
	if o.at == isDirectory {
		n.names = map[string]int{}
	}
	return n
}

const isDirectory = -1

func written(content, data []byte, at int64) []byte {
	if gap := at - int64(len(content)); gap > 0 {
		content = append(content, make([]byte, gap)...)
	}
	n := copy(content[at:], data)
	return append(content, data[n:]...)
}

func resized(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// Hook has all changes from now on decided by h, nil for none.
func (d *Disk) Hook(h Hook) { d.hook = h }

// Point is a moment in the life of a disk: after a number of changes, and some bytes of
// the next one if that is a write.
type Point struct{ changes, bytes int }

// Before tells whether a moment is earlier than another one of the same disk.
func (p Point) Before(other Point) bool {
	return p.changes < other.changes || p.changes == other.changes && p.bytes < other.bytes
}

// Now is the present moment.
func (d *Disk) Now() Point {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Point{changes: len(d.ops)}
}

// Somewhere is a moment since another one, between any two changes or within one.
func (d *Disk) Somewhere(since Point, random *rand.Rand) Point {
	at, within := random.Float64(), random.Float64()
	d.mu.Lock()
	defer d.mu.Unlock()
	p := Point{changes: since.changes + int(at*float64(len(d.ops)-since.changes+1))}
	if p.changes < len(d.ops) {
		p.bytes = int(within * float64(len(d.ops[p.changes].data)+1))
	}
	return p
}

// Written is how many bytes were written since a moment to the files that pebble made with
// names that end with a suffix.
func (d *Disk) Written(since Point, suffix string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	total := 0
	for _, o := range d.ops[since.changes:] {
		total += d.counted(o, suffix)
	}
	return total - since.bytes
}

// After is the moment at which so many of these bytes were written.
func (d *Disk) After(since Point, bytes int, suffix string) Point {
	d.mu.Lock()
	defer d.mu.Unlock()
	bytes += since.bytes
	p := Point{changes: since.changes}
	for _, o := range d.ops[since.changes:] {
		n := d.counted(o, suffix)
		if n > bytes || bytes == 0 {
			break
		}
		bytes -= n
		p.changes++
	}
	p.bytes = bytes
	return p
}

func (d *Disk) counted(o op, suffix string) int {
	if o.kind != Write || !strings.HasSuffix(d.live.nodes[o.node].label, suffix) {
		return 0
	}
	return len(o.data)
}

// change makes a change, or as much of it as the hook lets through, and returns how
// many bytes of a write that were.
func (d *Disk) change(path string, o op) (int, error) {
	made := max(len(o.data), 1)
	var failed error
	if d.hook != nil {
		made, failed = d.hook(Change{o.kind, path, len(o.data)})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case o.kind == Write:
		o.data = slices.Clone(o.data[:min(made, len(o.data))])
		if len(o.data) == 0 {
			return 0, failed
		}
	case made == 0 && o.kind == SyncFile && !errors.Is(failed, ErrDead):
		o.kind = lose
	case made == 0:
		return 0, failed
	}
	d.live.apply(o)
	d.ops = append(d.ops, o)
	return len(o.data), failed
}

// until gives the changes up to a moment.
func (d *Disk) until(p Point) []op {
	ops := slices.Clone(d.ops[:p.changes])
	if p.bytes > 0 {
		last := d.ops[p.changes]
		last.data = last.data[:p.bytes]
		ops = append(ops, last)
	}
	return ops
}

// Kill gives what is left when the process is killed at a moment.
func (d *Disk) Kill(at Point) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	ops, lost := withoutLost(d.until(at))
	left := &Disk{base: d.base, ops: ops}
	if at.changes == len(d.ops) && !lost {
		left.live = d.live.clone()
		return left
	}
	left.live = d.base.clone()
	for _, o := range ops {
		left.live.apply(o)
	}
	return left
}

// withoutLost has what a failed sync lost be gone: who reads it anew after the
// process's end may get it from the disk.
func withoutLost(ops []op) (left []op, lost bool) {
	unsynced := map[int][]int{}
	for _, o := range ops {
		switch o.kind {
		case Write:
			unsynced[o.node] = append(unsynced[o.node], len(left))
		case SyncFile:
			delete(unsynced, o.node)
		case lose:
			for _, i := range unsynced[o.node] {
				left[i].data = make([]byte, len(left[i].data))
			}
			lost = true
			continue
		}
		left = append(left, o)
	}
	return left, lost
}

// End gives what is left when the machine ends at a moment; seed decides on what wasn't
// synced. With holes, sectors may be missing of what is left of a file.
func (d *Disk) End(at Point, holes bool, seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	ops, _ := withoutLost(d.until(at))
	left := settle(d.base, ops, holes, seed)
	return &Disk{base: left, live: left.clone()}
}

// pending is what a file or directory has and what was not synced of it.
type pending struct {
	label   string
	content []byte
	names   map[string]int
	ops     []op
}

// settle decides on everything that was not synced.
func settle(base *tree, ops []op, holes bool, seed uint64) *tree {
	all := base.clone()
	nodes := make(map[int]*pending, len(all.nodes))
	for id, n := range all.nodes {
		nodes[id] = &pending{label: n.label, content: n.content, names: n.names}
	}
	for _, o := range ops {
		p := nodes[o.node]
		switch o.kind {
		case SyncFile:
			p.content, p.ops = contentAfter(p.content, p.ops), nil
		case SyncNames:
			p.names, p.ops = namesAfter(p.names, p.ops), nil
		case Link:
			if nodes[o.child] == nil {
				made := newNode(o)
				nodes[o.child] = &pending{label: made.label, names: made.names}
			}
			p.ops = append(p.ops, o)
		default:
			p.ops = append(p.ops, o)
		}
	}
	left := &tree{nodes: map[int]*node{}}
	left.keep(rootNode, nodes, holes, seed)
	return left
}

// keep takes over what is left of a directory and everything in it.
func (t *tree) keep(id int, nodes map[int]*pending, holes bool, seed uint64) {
	if t.nodes[id] != nil {
		return
	}
	p := nodes[id]
	t.next = max(t.next, id+1)
	label := fnv.New64a()
	// Writing to a hash never fails.
	_, _ = label.Write([]byte(p.label))
	random := rand.New(rand.NewPCG(seed, label.Sum64()))
	if p.names == nil {
		t.nodes[id] = &node{label: p.label, content: partOf(p.content, p.ops, holes, random)}
		return
	}
	n := &node{label: p.label, names: namesAfter(p.names, p.ops[:random.IntN(len(p.ops)+1)])}
	for name, child := range n.names {
		if nodes[child] == nil {
			delete(n.names, name)
		}
	}
	t.nodes[id] = n
	for _, child := range n.names {
		t.keep(child, nodes, holes, seed)
	}
}

func contentAfter(content []byte, ops []op) []byte {
	content = slices.Clone(content)
	for _, o := range ops {
		if o.kind == Truncate {
			content = resized(content, o.at)
		} else {
			content = written(content, o.data, o.at)
		}
	}
	return content
}

func namesAfter(names map[string]int, ops []op) map[string]int {
	after := maps.Clone(names)
	for _, o := range ops {
		switch o.kind {
		case Link:
			after[o.name] = o.child
		case Unlink:
			delete(after, o.name)
		case Rename:
			delete(after, o.name)
			after[o.other] = o.child
		}
	}
	return after
}

// partOf is what is left of a file that ops changed after it was synced.
func partOf(synced []byte, ops []op, holes bool, random *rand.Rand) []byte {
	if len(ops) == 0 {
		return synced
	}
	switch random.IntN(4) {
	case 0:
		return synced
	case 1:
		return contentAfter(synced, ops)
	}
	ops = slices.Clone(ops[:1+random.IntN(len(ops))])
	last := &ops[len(ops)-1]
	last.data = last.data[:random.IntN(len(last.data)+1)]
	left := contentAfter(synced, ops)
	if !holes || random.IntN(2) == 0 {
		return left
	}
	for from := 0; from < len(left); from += sector {
		to := min(from+sector, len(left))
		if random.IntN(3) > 0 || from < len(synced) && slices.Equal(left[from:to], synced[from:min(to, len(synced))]) {
			continue
		}
		clear(left[from:to])
		if from < len(synced) {
			copy(left[from:to], synced[from:])
		}
	}
	return left
}

func split(path string) []string {
	return strings.FieldsFunc(filepath.ToSlash(filepath.Clean(path)), func(r rune) bool { return r == '/' })
}

// find gives what a path names. The lock must be held.
func (d *Disk) find(path string) (int, bool) {
	id := rootNode
	for _, part := range split(path) {
		if part == "." {
			continue
		}
		n := d.live.nodes[id]
		child, ok := n.names[part]
		if !ok {
			return 0, false
		}
		id = child
	}
	return id, true
}

func missing(what, path string) error {
	return &os.PathError{Op: what, Path: path, Err: os.ErrNotExist}
}

// lookup gives what a path names, and the directory that it is in or would be.
func (d *Disk) lookup(what, path string) (id, dir int, found bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, ok := d.find(filepath.Dir(path))
	if !ok || d.live.nodes[dir].names == nil {
		return 0, 0, false, missing(what, path)
	}
	id, found = d.find(path)
	return id, dir, found, nil
}

// make gives a new file or directory a name.
// What is made in the background, at any time, has a label of its own: chance goes by
// it, by the order of making otherwise.
func (d *Disk) make(path, label string, dir int, directory bool) (int, error) {
	d.mu.Lock()
	id := d.live.next
	d.live.next++
	d.mu.Unlock()
	if label == "" {
		label = strconv.Itoa(id)
	}
	o := op{kind: Link, node: dir, name: filepath.Base(path), child: id, label: label}
	if directory {
		o.at = isDirectory
	}
	_, err := d.change(path, o)
	return id, err
}

func (d *Disk) mkdirAll(path string) error {
	parts := split(path)
	for i := range parts {
		name := strings.Join(parts[:i+1], "/")
		_, dir, found, err := d.lookup("mkdir", name)
		if err == nil && !found {
			_, err = d.make(name, "", dir, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove takes a name away, of a directory after those of everything in it.
func (d *Disk) remove(path string) error {
	id, dir, found, err := d.lookup("remove", path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !found {
		return nil
	}
	if err != nil {
		return err
	}
	names, _ := d.names(path)
	for _, name := range names {
		if err := d.remove(filepath.Join(path, name)); err != nil {
			return err
		}
	}
	_, err = d.change(path, op{kind: Unlink, node: dir, name: filepath.Base(path), child: id})
	return err
}

func (d *Disk) rename(from, to string) error {
	id, dir, found, err := d.lookup("rename", from)
	if err == nil && !found {
		err = missing("rename", from)
	}
	if err != nil {
		return err
	}
	if filepath.Dir(from) != filepath.Dir(to) {
		return fmt.Errorf("renaming %s to %s: this disk has names changed within a directory only", from, to)
	}
	_, err = d.change(from, op{kind: Rename, node: dir, name: filepath.Base(from), other: filepath.Base(to), child: id})
	return err
}

func (d *Disk) syncNames(path string) error {
	d.mu.Lock()
	id, ok := d.find(path)
	d.mu.Unlock()
	if !ok {
		return missing("sync", path)
	}
	_, err := d.change(path, op{kind: SyncNames, node: id})
	return err
}

// names lists a directory, in the order in which its files were made.
func (d *Disk) names(path string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.find(path)
	if !ok || d.live.nodes[id].names == nil {
		return nil, missing("list", path)
	}
	children := d.live.nodes[id].names
	return slices.SortedFunc(maps.Keys(children), func(a, b string) int { return cmp.Compare(children[a], children[b]) }), nil
}

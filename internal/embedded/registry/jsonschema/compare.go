package jsonschema

import (
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Incompatibilities gives what keeps data that is valid with the writer's schema
// from being valid with the reader's; none when it always is.
func Incompatibilities(reader, writer *Schema) []Difference {
	c := &comparison{entered: map[*node]bool{}, shared: &effort{fit: map[[2]*node]bool{}}}
	c.compare(writer.root, reader.root)
	return c.found
}

// comparison walks two schemas side by side.
type comparison struct {
	entered map[*node]bool // the writer's nodes on the way here
	path    []string
	found   []Difference
	shared  *effort
}

// Schemas of a few lines may have more ways through them than can be walked.
const (
	maxSteps = 500_000
	maxFound = 10_000
)

// effort is what a comparison and those apart from it have done.
type effort struct {
	steps int
	cut   int               // ways that ended at a node that was entered
	fit   map[[2]*node]bool // pairs without differences, whatever the way to them
}

// spent reports whether no more is looked at: what was found is enough, or nobody can
// tell, which counts as a difference.
func (c *comparison) spent() bool {
	c.shared.steps++
	if c.shared.steps >= maxSteps && len(c.found) == 0 {
		c.add(typeChanged)
	}
	return c.shared.steps >= maxSteps || len(c.found) >= maxFound
}

// apart is a comparison of its own, from the same place.
func (c *comparison) apart() *comparison {
	return &comparison{entered: maps.Clone(c.entered), path: slices.Clone(c.path), shared: c.shared}
}

func (c *comparison) add(kind Kind) {
	c.found = append(c.found, Difference{kind, "#/" + strings.Join(c.path, "/")})
}

// at runs f one step further down.
func (c *comparison) at(step string, f func()) {
	c.path = append(c.path, step)
	f()
	c.path = c.path[:len(c.path)-1]
}

func (c *comparison) addAt(step string, kind Kind) { c.at(step, func() { c.add(kind) }) }

// when adds a difference under a keyword if there is one.
func (c *comparison) when(different bool, step string, kind Kind) {
	if different {
		c.addAt(step, kind)
	}
}

// fits reports whether data of one schema is valid with another.
func (c *comparison) fits(original, update *node) bool {
	sub := c.apart()
	sub.compare(original, update)
	return len(sub.found) == 0
}

func (c *comparison) compare(original, update *node) {
	pair := [2]*node{original, update}
	if c.shared.fit[pair] || c.spent() {
		return
	}
	found, cut := len(c.found), c.shared.cut
	c.compareNew(original, update)
	if len(c.found) == found && c.shared.cut == cut && c.shared.steps < maxSteps {
		c.shared.fit[pair] = true
	}
}

func (c *comparison) compareNew(original, update *node) {
	switch {
	case update == nil:
		return
	case original == nil:
		c.add(schemaAdded)
		return
	}
	if original.kind == kindReference {
		original = original.referred
	}
	if update.kind == kindReference {
		update = update.referred
	}
	if c.fitsOneOf(original, update) {
		return
	}
	if original.kind != update.kind {
		if original.kind != kindFalse && update.kind != kindEmpty && update.kind != kindTrue {
			c.add(typeChanged)
		}
		return
	}
	if c.entered[original] {
		c.shared.cut++
		return
	}
	c.entered[original] = true
	defer delete(c.entered, original)
	switch original.kind {
	case kindString:
		c.strings(original, update)
	case kindNumber:
		c.numbers(original, update)
	case kindConst:
		c.when(!maps.Equal(original.values, update.values), "const", enumArrayChanged)
	case kindEnum:
		c.enums(original, update)
	case kindCombined:
		c.combined(original, update)
	case kindNot:
		c.when(!c.fitsNegated(original, update), "not", notTypeExtended)
	case kindObject:
		c.objects(original, update)
	case kindArray:
		c.arrays(original, update)
	}
}

// fitsOneOf reports whether a schema is compatible with one of those that the
// other combines, which is enough where any one will do.
func (c *comparison) fitsOneOf(original, update *node) bool {
	switch {
	case original.kind != kindCombined && update.kind == kindCombined:
		if len(update.subschemas) == 1 || update.criterion != "allOf" {
			return slices.ContainsFunc(update.subschemas, func(n *node) bool { return c.fits(original, n) })
		}
	case original.kind == kindCombined && update.kind != kindCombined:
		if len(original.subschemas) == 1 || original.criterion == "allOf" {
			return slices.ContainsFunc(original.subschemas, func(n *node) bool { return c.fits(n, update) })
		}
	}
	return false
}

func (c *comparison) fitsNegated(original, update *node) bool {
	sub := c.apart()
	sub.path = append(sub.path, "not")
	sub.compare(update.negated, original.negated)
	return len(sub.found) == 0
}

// upper compares limits of which a lower one excludes more.
func upper[T any](c *comparison, step string, original, update *T, cmp func(a, b *T) int, added, decreased Kind) {
	switch {
	case update == nil:
	case original == nil:
		c.addAt(step, added)
	case cmp(update, original) < 0:
		c.addAt(step, decreased)
	}
}

// lower compares limits of which a higher one excludes more.
func lower[T any](c *comparison, step string, original, update *T, cmp func(a, b *T) int, added, increased Kind) {
	upper(c, step, original, update, func(a, b *T) int { return cmp(b, a) }, added, increased)
}

func compareInts(a, b *int) int { return *a - *b }

func compareRats(a, b *big.Rat) int { return a.Cmp(b) }

func (c *comparison) strings(original, update *node) {
	upper(c, "maxLength", original.maxLength, update.maxLength, compareInts, maxLengthAdded, maxLengthDecreased)
	lower(c, "minLength", original.minLength, update.minLength, compareInts, minLengthAdded, minLengthIncreased)
	switch {
	case update.pattern == nil:
	case original.pattern == nil:
		c.addAt("pattern", patternAdded)
	case *original.pattern != *update.pattern:
		c.addAt("pattern", patternChanged)
	}
}

func (c *comparison) numbers(original, update *node) {
	upper(c, "maximum", original.maximum, update.maximum, compareRats, maximumAdded, maximumDecreased)
	lower(c, "minimum", original.minimum, update.minimum, compareRats, minimumAdded, minimumIncreased)
	upper(c, "exclusiveMaximum", original.exclusiveMaximum, update.exclusiveMaximum, compareRats, exclusiveMaximumAdded, exclusiveMaximumDecreased)
	lower(c, "exclusiveMinimum", original.exclusiveMinimum, update.exclusiveMinimum, compareRats, exclusiveMinimumAdded, exclusiveMinimumIncreased)
	switch was, is := original.multipleOf, update.multipleOf; {
	case is == nil || was != nil && was.Cmp(is) == 0:
	case was == nil:
		c.addAt("multipleOf", multipleOfAdded)
	case new(big.Rat).Quo(is, was).IsInt():
		c.addAt("multipleOf", multipleOfExpanded)
	case !new(big.Rat).Quo(was, is).IsInt():
		c.addAt("multipleOf", multipleOfChanged)
	}
	if update.integer && !original.integer {
		c.add(typeNarrowed)
	}
}

// containsAll reports whether a set has every element of another.
func containsAll(set, other map[string]bool) bool {
	for e := range other {
		if !set[e] {
			return false
		}
	}
	return true
}

func (c *comparison) enums(original, update *node) {
	switch {
	case containsAll(update.values, original.values):
	case containsAll(original.values, update.values):
		c.addAt("enum", enumArrayNarrowed)
	default:
		c.addAt("enum", enumArrayChanged)
	}
}

func (c *comparison) combined(original, update *node) {
	single := func(n *node) bool { return len(n.subschemas) == 1 }
	switch {
	case original.criterion == update.criterion, update.criterion == "anyOf",
		single(original) && (single(update) || update.criterion == "oneOf"),
		single(update) && original.criterion == "allOf":
	default:
		c.add(combinedTypeChanged)
		return
	}
	was, is := distinct(original.subschemas), distinct(update.subschemas)
	switch {
	case len(was) < len(is) && update.criterion == "allOf":
		c.add(productTypeExtended)
	case len(was) > len(is) && original.criterion != "allOf":
		c.add(sumTypeNarrowed)
	}
	edges := make([][]bool, len(was))
	for i, old := range was {
		edges[i] = make([]bool, len(is))
		c.at(original.criterion+"/"+strconv.Itoa(i), func() {
			for j, n := range is {
				edges[i][j] = c.fits(old, n)
			}
		})
	}
	if matching(edges, len(is)) < min(len(was), len(is)) {
		c.add(combinedTypeSubschemasChanged)
	}
}

// distinct leaves one of those nodes that mean the same.
func distinct(nodes []*node) []*node {
	seen := map[string]bool{}
	var list []*node
	for _, n := range nodes {
		if !seen[n.identity] {
			seen[n.identity] = true
			list = append(list, n)
		}
	}
	return list
}

// matching gives the size of a maximum matching between two sides. edges tells
// for each on the left which of the right ones it goes with.
func matching(edges [][]bool, right int) int {
	partner := make([]int, right)
	for j := range partner {
		partner[j] = -1
	}
	var augment func(i int, tried []bool) bool
	augment = func(i int, tried []bool) bool {
		for j, edge := range edges[i] {
			if !edge || tried[j] {
				continue
			}
			tried[j] = true
			if partner[j] < 0 || augment(partner[j], tried) {
				partner[j] = i
				return true
			}
		}
		return false
	}
	size := 0
	for i := range edges {
		if augment(i, make([]bool, right)) {
			size++
		}
	}
	return size
}

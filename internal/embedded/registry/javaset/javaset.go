// Package javaset lists names and numbers in the order in which Java's HashMap
// and HashSet give them out.
//
// The real registry keeps what it compares in such tables and explains
// differences in their order, so the order is part of its answers.
//
// Invariant: the order depends on nothing but the elements, the order in which
// they were put and the size the table had to begin with.
package javaset

import (
	"cmp"
	"slices"
	"unicode/utf16"
)

// defaultTable is the size of a table that is made without one in mind.
const defaultTable = 16

// Names gives names in the order of a map into which they were put one by one.
func Names(names []string) []string { return ordered(names, hashText, defaultTable) }

// Union gives the names of both maps in the order of a set made from the names
// of the first, to which those of the second were added.
func Union(first, second []string) []string { return union(first, second, hashText) }

// UnionNumbers is Union for numbers.
func UnionNumbers(first, second []int) []int { return union(first, second, hashNumber) }

func hashText(name string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(name)) {
		h = 31*h + uint32(unit)
	}
	return h
}

func hashNumber(n int) uint32 { return uint32(int32(n)) } //nolint:gosec // Java's numbers have 32 bits

func union[E cmp.Ordered](first, second []E, hash func(E) uint32) []E {
	all := ordered(first, hash, defaultTable)
	seen := make(map[E]bool, len(all)+len(second))
	for _, e := range all {
		seen[e] = true
	}
	table := defaultTable
	for table < len(all)*4/3+1 {
		table *= 2
	}
	for _, e := range ordered(second, hash, defaultTable) {
		if !seen[e] {
			all = append(all, e)
		}
	}
	return ordered(all, hash, table)
}

// ordered gives elements by their places in a table, which has grown with them.
func ordered[E cmp.Ordered](elements []E, hash func(E) uint32, table int) []E {
	for len(elements)*4 > table*3 {
		table *= 2
	}
	place := func(e E) uint32 {
		h := hash(e)
		return (h ^ h>>16) & uint32(table-1) //nolint:gosec // a table is far smaller
	}
	return slices.SortedStableFunc(slices.Values(elements), func(a, b E) int { return cmp.Compare(place(a), place(b)) })
}

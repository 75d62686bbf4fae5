package javaset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/registry/javaset"
)

// The orders are those that OpenJDK 17 printed.
func TestOrder(t *testing.T) {
	assert.Equal(t, []string{"product", "quantity", "price", "customerId", "id", "state"}, javaset.Names([]string{"id", "customerId", "state", "product", "quantity", "price"}))
	assert.Equal(t, []int{16, 1, 33, 2}, javaset.UnionNumbers([]int{1, 16}, []int{33, 2}))
	var first, second []string
	for i := range 13 {
		first = append(first, fmt.Sprintf("field%d", i))
	}
	for i := range 20 {
		second = append(second, fmt.Sprintf("f%d", i+10))
	}
	assert.Equal(t, "f10 f12 f11 f14 f13 f16 f15 f18 f17 f19 f21 f20 f23 f22 f25 f24 f27 f26 f29 f28 "+
		"field11 field12 field1 field0 field10 field7 field6 field9 field8 field3 field2 field5 field4",
		strings.Join(javaset.Union(first, second), " "))
}

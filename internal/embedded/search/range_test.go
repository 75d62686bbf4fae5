package search_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestRangesWithAndWithoutDocValues counts numbers in ranges, which are found in
// columns or by shortened forms.
func TestRangesWithAndWithoutDocValues(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	var props []string
	for _, typ := range []string{"long", "integer", "short", "double", "float"} {
		props = append(props, fmt.Sprintf(`"%[1]s":{"type":"%[1]s"},"plain_%[1]s":{"type":"%[1]s","doc_values":false}`, typ))
	}
	must(t, srv, http.MethodPut, "/i", `{"mappings":{"properties":{`+strings.Join(props, ",")+`}}}`)
	random := rand.New(rand.NewPCG(7, 7))
	number := func() float64 {
		v := math.Trunc(math.Pow(2, random.Float64()*14.9))
		if random.IntN(2) == 0 {
			v = -v
		}
		return v
	}
	var all []float64
	var body strings.Builder
	for range 600 {
		v := number()
		all = append(all, v)
		body.WriteString(`{"index":{}}` + "\n{")
		for i, typ := range []string{"long", "integer", "short", "double", "float"} {
			if i > 0 {
				body.WriteString(",")
			}
			fmt.Fprintf(&body, `"%[1]s":%[2]v,"plain_%[1]s":%[2]v`, typ, v)
		}
		body.WriteString("}\n")
	}
	must(t, srv, http.MethodPost, "/i/_bulk?refresh", body.String())
	for range 60 {
		low, high := number(), number()
		if low > high {
			low, high = high, low
		}
		want := 0.
		for _, v := range all {
			if v >= low && v < high {
				want++
			}
		}
		for _, typ := range []string{"long", "integer", "short", "double", "float"} {
			for _, name := range []string{typ, "plain_" + typ} {
				answer := must(t, srv, http.MethodPost, "/i/_count", fmt.Sprintf(`{"query":{"range":{%q:{"gte":%v,"lt":%v}}}}`, name, low, high))
				assert.Equal(t, want, answer["count"], "%s from %v to %v", name, low, high)
			}
		}
	}
}

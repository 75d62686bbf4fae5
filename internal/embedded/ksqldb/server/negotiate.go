package server

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// accepted is what a client would take, with the weight it gives to it.
type accepted struct {
	kind   string
	weight float64
}

func acceptHeader(r *http.Request) []accepted {
	var list []accepted
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		weight := 1.0
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			weight = q
		}
		list = append(list, accepted{kind, weight})
	}
	return list
}

// acceptable reports whether one of the types suits the client.
func acceptable(r *http.Request, types []string) bool { return negotiate(r, types) != "" }

// negotiate picks the type that suits the client best, the first where it does
// not care. It is empty when none does.
func negotiate(r *http.Request, types []string) string {
	accept := acceptHeader(r)
	if len(accept) == 0 {
		return types[0]
	}
	best, weight := "", 0.0
	for _, a := range accept {
		if a.weight <= weight {
			continue
		}
		for _, t := range types {
			if a.kind == t || a.kind == "*/*" || strings.HasSuffix(a.kind, "/*") && strings.HasPrefix(t, strings.TrimSuffix(a.kind, "*")) {
				best, weight = t, a.weight
				break
			}
		}
	}
	return best
}

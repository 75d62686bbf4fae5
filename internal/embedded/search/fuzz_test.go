package search

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzJSON checks that the parser takes what the standard library takes, and
// keeps the text of every value.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,null,true,"x\u00e9\ud83d\ude00"]}`, `{`, `[1,]`, `"\x"`, `01`, `{"a":1,"a":2}`, `-`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, end, err := parseJSON(raw)
		if err != nil {
			if e := syntaxError(err); e.status == 0 || e.reason == "" {
				t.Fatalf("an error without status or reason: %v", err)
			}
			return
		}
		if !json.Valid(raw[:end]) {
			t.Fatalf("%q was taken for JSON", raw[:end])
		}
		if !bytes.Equal(n.raw(), bytes.TrimSpace(raw[:end])) {
			t.Fatalf("%q became %q", raw[:end], n.raw())
		}
		if !json.Valid(encodeJSON(n, true)) {
			t.Fatalf("%q is written as %q", raw, encodeJSON(n, true))
		}
	})
}

func FuzzBulk(f *testing.F) {
	f.Add([]byte("{\"index\":{\"_index\":\"b\",\"_id\":\"1\"}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"2\"}}\n"))
	f.Add([]byte("{\"update\":{\"_id\":\"1\",\"version\":3,\"version_type\":\"external\"}}\n{\"doc\":{}}\n"))
	f.Add([]byte("{\"index\":{\"_index\":\"b\"}\n{}\n\n[]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		items, err := parseBulk(raw, bulkDefaults{index: "i"})
		if err != nil {
			if e := asAPIError(err); e.status < 400 || e.status >= 500 {
				t.Fatalf("status %d: %v", e.status, err)
			}
			return
		}
		for _, it := range items {
			if it.index == "" || (it.op.action == "update") != (it.op.update != nil) {
				t.Fatalf("half an item: %+v", it)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		`{"query":{"bool":{"must":[{"term":{"s":"x"}}],"should":{"range":{"n":{"gt":1,"lt":"5"}}},"minimum_should_match":"50%"}}}`,
		`{"query":{"query_string":{"query":"a AND (b OR c:[1 TO 2}) -d:\"x y\"^2 e~1 f* /g.h/"}},"sort":[{"n":"desc"}]}`,
		`{"query":{"simple_query_string":{"query":"a +(b | \"c d\") -e*"}},"search_after":[1]}`,
		`{"query":{"regexp":{"s":"a[0-9]+"}},"size":3,"from":2,"_source":["a*"]}`,
		`{"query":{"range":{"d":{"gte":"2024-05-03||+1d/d","lte":"now/M"}}}}`,
		`{"query":{"multi_match":{"query":"x 5","fields":["s^2","n"],"lenient":true}}}`,
		`{"query":{"query_string":{"query":"0~0"}}}`,
		`{"query":{"fuzzy":{"s":{"value":"x","fuzziness":"AUTO"}}}}`,
	} {
		f.Add(seed)
	}
	srv, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	if err := srv.Open(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = srv.Stop() })
	src := []byte(`{"s":"x y z","n":5,"d":"2024-05-01","b":true,"o":{"f":1.5}}`)
	ix, err := srv.writable("i", false, true)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := ix.writeOne(&writeOp{action: "index", id: "1", hasID: true, source: src}); err != nil {
		f.Fatal(err)
	}
	if err := ix.engine.refresh(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		n, _, err := parseJSON([]byte(raw))
		if err != nil {
			return
		}
		req, apiErr := parseSearch(n)
		if apiErr != nil {
			if apiErr.status < 400 || apiErr.status >= 500 {
				t.Fatalf("status %d: %v", apiErr.status, apiErr)
			}
			return
		}
		c := &call{ctx: t.Context(), srv: srv}
		found, err := srv.resolve("i", expression{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := c.run(req, found)
		if err != nil {
			if e := asAPIError(err); e.status < 400 || e.status >= 500 {
				t.Fatalf("status %d: %v", e.status, err)
			}
			return
		}
		if !json.Valid(encodeJSON(body, false)) {
			t.Fatalf("the answer is no JSON: %s", encodeJSON(body, false))
		}
	})
}

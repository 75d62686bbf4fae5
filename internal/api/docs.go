package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

//go:embed docs.html
var docsTemplate string

// docsPage is the OpenAPI document as a page for people. It needs nothing from elsewhere.
var docsPage = sync.OnceValues(func() ([]byte, error) {
	var doc docsDocument
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	page, err := template.New("docs").Funcs(template.FuncMap{"ref": refName, "pretty": pretty}).Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("reading the template of the page of documentation: %w", err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, doc); err != nil {
		return nil, fmt.Errorf("making the page of documentation: %w", err)
	}
	return b.Bytes(), nil
})

// The part of an OpenAPI document that the page shows.
type (
	docsDocument struct {
		Info struct {
			Title       string `json:"title"`
			Version     string `json:"version"`
			Description string `json:"description"`
		} `json:"info"`
		Paths      map[string]docsPath `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	docsPath struct {
		Parameters []docsParameter `json:"parameters"`
		Get        *docsOperation  `json:"get"`
		Put        *docsOperation  `json:"put"`
		Post       *docsOperation  `json:"post"`
	}
	docsOperation struct {
		Summary     string                  `json:"summary"`
		Description string                  `json:"description"`
		Parameters  []docsParameter         `json:"parameters"`
		RequestBody *docsContent            `json:"requestBody"`
		Responses   map[string]docsResponse `json:"responses"`
	}
	docsParameter struct {
		Name        string          `json:"name"`
		In          string          `json:"in"`
		Description string          `json:"description"`
		Required    bool            `json:"required"`
		Schema      json.RawMessage `json:"schema"`
	}
	docsResponse struct {
		Description string `json:"description"`
		docsContent
	}
	docsContent struct {
		Content map[string]struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"content"`
	}
)

// docsEntry is one operation with its address.
type docsEntry struct {
	Method, Path string
	*docsOperation
}

// Operations lists the operations by their addresses.
func (d docsDocument) Operations() []docsEntry {
	var list []docsEntry
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		item := d.Paths[path]
		for _, op := range []docsEntry{{http.MethodGet, path, item.Get}, {http.MethodPost, path, item.Post}, {http.MethodPut, path, item.Put}} {
			if op.docsOperation != nil {
				op.Parameters = append(slices.Clone(item.Parameters), op.Parameters...)
				list = append(list, op)
			}
		}
	}
	return list
}

// refName returns the name of the schema that a schema refers to, else "".
func refName(schema json.RawMessage) (string, error) {
	var s struct {
		Ref string `json:"$ref"`
	}
	if len(schema) == 0 {
		return "", nil
	}
	err := json.Unmarshal(schema, &s)
	return strings.TrimPrefix(s.Ref, "#/components/schemas/"), err
}

// pretty indents a schema.
func pretty(schema json.RawMessage) (string, error) {
	var b bytes.Buffer
	err := json.Indent(&b, schema, "", "  ")
	return b.String(), err
}

// getDocs serves the description of this API for people.
func (h *handlers) getDocs(w http.ResponseWriter, _ *http.Request) error {
	page, err := docsPage()
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	boundAnswer(w)
	w.WriteHeader(http.StatusOK)
	// The client is gone when this fails; there is nobody to tell.
	_, _ = w.Write(page)
	return nil
}

package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

// getOpenAPI serves the description of this API.
func (h *handlers) getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	boundAnswer(w)
	w.WriteHeader(http.StatusOK)
	// The client is gone when this fails; there is nobody to tell.
	_, _ = w.Write(openAPI)
	return nil
}

package connectors_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/connectors"
)

// answers is a Connect whose connectors are what their states say.
type answers func(r *http.Request) (status int, body string)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := a(r)
	w := &http.Response{StatusCode: status, Header: http.Header{}, Body: readCloser{strings.NewReader(body)}, Request: r}
	return w, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestWhatFailsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, restarts := time.Now(), map[string]int{}
		client := connectors.NewClient("http://connect", answers(func(r *http.Request) (int, string) {
			parts := strings.Split(r.URL.Path, "/")
			name := parts[2]
			if r.Method == http.MethodPost {
				restarts[name]++
				return http.StatusAccepted, "{}"
			}
			state := "RUNNING"
			switch {
			case name == "back" && time.Since(began) > time.Minute && restarts[name] == 0, name == "never":
				state = "FAILED"
			case name == "paused":
				return http.StatusOK, `{"name":"paused","connector":{"state":"PAUSED"},"tasks":[{"id":0,"state":"FAILED"}]}`
			}
			return http.StatusOK, fmt.Sprintf(`{"name":%q,"connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":%q}]}`, name, state)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		client.Tend(ctx, []string{"back", "never", "paused"}, slog.New(slog.DiscardHandler))
		assert.Equal(t, 1, restarts["back"])
		assert.InDelta(t, 17, restarts["never"], 3, "the pauses grow")
		assert.Zero(t, restarts["paused"])
	})
}

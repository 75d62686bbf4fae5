package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// problem is an RFC 9457 problem document.
type problem struct {
	Type     string             `json:"type"`
	Title    string             `json:"title"`
	Status   int                `json:"status"`
	Detail   string             `json:"detail,omitempty"`
	Instance string             `json:"instance,omitempty"`
	Errors   []order.FieldError `json:"errors,omitempty"`

	retryAfter time.Duration
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func newProblem(status int, detail string, fields ...order.FieldError) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: fields}
}

// orderError is what went wrong with one order.
type orderError struct {
	order string // its id
	err   error
}

func (e *orderError) Error() string { return e.err.Error() }
func (e *orderError) Unwrap() error { return e.err }

// ofOrder says which order an error is about, for the log.
func ofOrder(id string, err error) error { return &orderError{id, err} }

// unavailable says that something this request needs is away for the moment.
func unavailable(detail string) *problem {
	p := newProblem(http.StatusServiceUnavailable, detail)
	p.retryAfter = time.Second
	return p
}

// bodyProblem turns the error of reading and decoding a body into the problem that tells its sender.
func bodyProblem(err error) *problem {
	var tooLarge *http.MaxBytesError
	var invalid *order.InvalidError
	switch {
	case errors.As(err, &tooLarge):
		return newProblem(http.StatusRequestEntityTooLarge,
			"The body is larger than "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes.",
			order.FieldError{Pointer: "#", Detail: "must be at most " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes long"})
	case errors.As(err, &invalid):
		return newProblem(http.StatusBadRequest, "The document was not taken; errors says which fields are wrong.", invalid.Errors...)
	default:
		return newProblem(http.StatusBadRequest, "The body could not be read to its end.", order.FieldError{Pointer: "#", Detail: "is incomplete"})
	}
}

func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	p.Instance = r.URL.EscapedPath()
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter/time.Second))))
	}
	writeAs(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	writeAs(w, status, "application/json", body)
}

// boundAnswer gives the client answerTimeout to take the answer. The server forgets it
// before the connection's next request.
func boundAnswer(w http.ResponseWriter) {
	// Not every ResponseWriter has a connection (those of tests do not).
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
}

func writeAs(w http.ResponseWriter, status int, contentType string, body any) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	boundAnswer(w)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	// The client is gone when this fails; there is nobody to tell.
	_ = enc.Encode(body)
}

// isProbe reports the requests of whoever looks after the process, which need no
// credentials.
func isProbe(r *http.Request) bool { return r.URL.Path == "/livez" || r.URL.Path == "/readyz" }

// refuse answers a request without credentials that hold.
func refuse(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, newProblem(http.StatusUnauthorized,
		"this API needs credentials: basic authentication, or an API key as Authorization: Bearer KEY or X-API-Key: KEY"))
}

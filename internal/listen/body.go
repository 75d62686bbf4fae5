package listen

import (
	"io"
	"net/http"
	"time"
)

// boundBody gives up on a request whose body has not arrived within the time, unless
// it is a stream. That holds for a body that nobody reads, too: http.Server takes it in
// before it answers.
// http.Server's own ReadTimeout would also end answers that wait for something
// after the body was read.
func boundBody(next http.Handler, within time.Duration, streams func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && (streams == nil || !streams(r)) {
			controller := http.NewResponseController(w)
			if err := controller.SetReadDeadline(time.Now().Add(within)); err == nil {
				r.Body = &boundedBody{ReadCloser: r.Body, controller: controller}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// boundedBody takes the deadline away once the body was read.
type boundedBody struct {
	io.ReadCloser
	controller *http.ResponseController
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.controller.SetReadDeadline(time.Time{}) // a connection that is gone ends the request anyhow
	}
	return n, err
}

package listen

import (
	"net/http"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/credentials"
)

// Guard says who may use a server. The zero Guard lets everybody in.
type Guard struct {
	// Credentials are those that are accepted, as basic authentication, as
	// "Authorization: Bearer KEY" or as "X-API-Key: KEY"; nil lets everybody in.
	Credentials *credentials.Store
	// Open reports the requests that need no credentials, such as health checks.
	// Nil means none.
	Open func(*http.Request) bool
	// Refuse writes the body of an answer with status 401, whose WWW-Authenticate
	// header is already set. Nil writes a line of text.
	Refuse http.HandlerFunc
}

// protect lets only those requests through that may use the server. The bodies of the
// others have to come in time as well.
func (g Guard) protect(next http.Handler, bodyTimeout time.Duration) http.Handler {
	if g.Credentials == nil {
		return next
	}
	refuse := g.Refuse
	if refuse == nil {
		refuse = func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "This server needs credentials: basic authentication or an API key.", http.StatusUnauthorized)
		}
	}
	refused := boundBody(refuse, bodyTimeout, nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (g.Open != nil && g.Open(r)) || g.accepts(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("WWW-Authenticate", `Basic realm="orderflow", charset="UTF-8"`)
		w.Header().Add("WWW-Authenticate", `Bearer realm="orderflow"`)
		refused.ServeHTTP(w, r)
	})
}

func (g Guard) accepts(r *http.Request) bool {
	if name, password, ok := r.BasicAuth(); ok {
		return g.Credentials.Password(name, password)
	}
	key := r.Header.Get("X-API-Key")
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		key = value
	}
	return key != "" && g.Credentials.Key(key)
}

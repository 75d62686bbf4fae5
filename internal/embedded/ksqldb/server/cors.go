package server

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// ksqlDB's settings for pages of other origins, and their defaults.
const (
	corsOrigin  = "access.control.allow.origin"
	corsMethods = "access.control.allow.methods"
	corsHeaders = "access.control.allow.headers"

	defaultCORSMethods = "GET,POST,HEAD"
	defaultCORSHeaders = "X-Requested-With,Content-Type,Accept,Origin"
)

// crossOrigin lets pages of other origins use the server (CORS).
type crossOrigin struct {
	origin           *regexp.Regexp // nil lets none
	methods, headers string
}

func newCrossOrigin(properties map[string]string) (crossOrigin, error) {
	origin := properties[corsOrigin]
	if origin == "" {
		return crossOrigin{}, nil
	}
	pattern, err := regexp.Compile("^(?:" + strings.ReplaceAll(origin, "*", ".*") + ")$")
	if err != nil {
		return crossOrigin{}, err
	}
	c := crossOrigin{pattern, properties[corsMethods], properties[corsHeaders]}
	if c.methods == "" {
		c.methods = defaultCORSMethods
	}
	if c.headers == "" {
		c.headers = defaultCORSHeaders
	}
	return c, nil
}

// allows reports whether pages of an origin may use the server.
func (c crossOrigin) allows(origin string) bool {
	return c.origin != nil && c.origin.MatchString(origin)
}

// handle answers requests that ask for leave, and marks the answers to others.
func (c crossOrigin) handle(next http.Handler) http.Handler {
	if c.origin == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		switch {
		case origin == "" || strings.HasPrefix(r.URL.Path, "/ws/"):
			next.ServeHTTP(w, r)
			return
		case !c.allows(origin):
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		if !slices.Contains(h.Values("Vary"), "Origin") {
			h.Add("Vary", "Origin")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", c.methods)
			h.Set("Access-Control-Allow-Headers", c.headers)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

package server

import (
	"net/http"
	"strings"
)

// The content types of the API.
const (
	typeJSON      = "application/json"
	typeKsql      = "application/vnd.ksql.v1+json"
	typeProtobuf  = "application/vnd.ksql.v1+protobuf"
	typeDelimited = "application/vnd.ksqlapi.delimited.v1"
)

// streamTypes are what /query-stream produces.
var streamTypes = []string{typeDelimited, typeJSON, typeKsql, typeProtobuf}

// plainTypes are what the end points without streams produce, whatever is asked.
var plainTypes = []string{typeKsql, typeJSON}

// route is an end point: its method, what it can produce, and its code.
type route struct {
	method   string
	produces []string // nil answers any Accept
	serve    func(w http.ResponseWriter, r *http.Request)
}

// Handler answers all end points.
func (s *Server) Handler() http.Handler {
	routes := map[string]route{
		"/":               {http.MethodGet, nil, redirectToInfo},
		"/ksql":           {http.MethodPost, plainTypes, s.ksql},
		"/ksql/terminate": {http.MethodPost, plainTypes, s.terminate},
		"/query":          {http.MethodPost, []string{typeKsql, typeJSON, typeDelimited}, s.query},
		"/ws/query":       {http.MethodGet, nil, s.websocketQuery},
		"/query-stream":   {http.MethodPost, streamTypes, s.queryStream},
		"/inserts-stream": {http.MethodPost, []string{typeDelimited, typeJSON}, s.insertsStream},
		"/close-query":    {http.MethodPost, nil, s.closeQuery},
		"/info":           {http.MethodGet, plainTypes, s.info},
		"/healthcheck":    {http.MethodGet, plainTypes, s.healthcheck},
		"/status":         {http.MethodGet, plainTypes, s.statuses},
		"/v1/metadata":    {http.MethodGet, plainTypes, s.metadata},
		"/v1/metadata/id": {http.MethodGet, plainTypes, s.metadataID},
		"/clusterStatus":  {http.MethodGet, plainTypes, featureOff},
		"/heartbeat":      {http.MethodPost, plainTypes, featureOff},
		"/lag":            {http.MethodPost, plainTypes, lag},
		"/chc/ready":      {http.MethodGet, nil, emptyObject},
		"/chc/live":       {http.MethodGet, nil, emptyObject},
	}
	return s.origins.handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := routes[r.URL.Path]
		if !ok {
			found, ok = s.pattern(r.URL.Path)
		}
		switch {
		case !ok:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusNotFound)
			write(w, []byte("<html><body><h1>Resource not found</h1></body></html>"))
		case r.Method != found.method:
			if r.Method != http.MethodHead {
				w.Header().Set("Allow", found.method)
			}
			w.WriteHeader(http.StatusMethodNotAllowed)
		case found.produces != nil && !acceptable(r, found.produces):
			w.WriteHeader(http.StatusNotAcceptable)
		default:
			found.serve(w, r)
		}
	}))
}

// pattern finds the end points whose path has parts that vary.
func (s *Server) pattern(path string) (route, bool) {
	if id, ok := strings.CutPrefix(path, "/status/"); ok && strings.Count(id, "/") >= 2 {
		return route{http.MethodGet, plainTypes, func(w http.ResponseWriter, _ *http.Request) { s.status(w, id) }}, true
	}
	if name, ok := strings.CutPrefix(path, "/is_valid_property/"); ok && name != "" {
		return route{http.MethodGet, plainTypes, func(w http.ResponseWriter, _ *http.Request) { isValidProperty(w, name) }}, true
	}
	return route{}, false
}

func redirectToInfo(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", "/info")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func emptyObject(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, struct{}{}) }

// featureOff answers end points that only clusters of several servers have.
func featureOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(http.StatusNotFound)
}

// lag takes what other servers of a cluster report, which there are none of.
func lag(w http.ResponseWriter, r *http.Request) {
	in, failed := readBody(w, r, "LagReportingMessage")
	if failed == nil && in.object.member("ksqlHost") == nil {
		failed = errNotRead
	}
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	featureOff(w, r)
}

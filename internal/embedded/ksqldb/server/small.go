package server

import (
	"net/http"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

func (s *Server) info(w http.ResponseWriter, r *http.Request) {
	cluster, err := s.engine.ClusterID(r.Context())
	if err != nil {
		writeError(w, asError(err), true)
		return
	}
	type info struct {
		Version   string `json:"version"`
		Cluster   string `json:"kafkaClusterId"`
		ServiceID string `json:"ksqlServiceId"`
		Status    string `json:"serverStatus"`
	}
	writeJSON(w, http.StatusOK, struct {
		Info info `json:"KsqlServerInfo"`
	}{info{Version, cluster, s.engine.ServiceID(), "RUNNING"}})
}

func (s *Server) healthcheck(w http.ResponseWriter, r *http.Request) {
	type state struct {
		Healthy bool `json:"isHealthy"`
	}
	type details struct {
		Metastore     state `json:"metastore"`
		Kafka         state `json:"kafka"`
		CommandRunner state `json:"commandRunner"`
	}
	_, err := s.engine.ClusterID(r.Context())
	kafka := state{err == nil}
	commands := state{s.engine.FailedCommands() == 0}
	writeJSON(w, http.StatusOK, struct {
		Healthy bool    `json:"isHealthy"`
		Details details `json:"details"`
		State   string  `json:"serverState"`
	}{kafka.Healthy && commands.Healthy, details{state{true}, kafka, commands}, "READY"})
}

func (s *Server) statuses(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Statuses map[string]string `json:"commandStatuses"`
	}{s.engine.Statuses()})
}

func (s *Server) status(w http.ResponseWriter, id string) {
	status, ok := s.engine.Status(id)
	if !ok {
		writeError(w, &engine.Error{Code: engine.CodeNotFound, Message: "Command not found"}, true)
		return
	}
	writeJSON(w, http.StatusOK, status)
}

type clusterID struct {
	Scope scope  `json:"scope"`
	ID    string `json:"id"`
}

type scope struct {
	Path     []string `json:"path"`
	Clusters clusters `json:"clusters"`
}

type clusters struct {
	Kafka string `json:"kafka-cluster"`
	Ksql  string `json:"ksql-cluster"`
}

func (s *Server) clusterID(w http.ResponseWriter, r *http.Request) (clusterID, bool) {
	kafka, err := s.engine.ClusterID(r.Context())
	if err != nil {
		writeError(w, asError(err), true)
		return clusterID{}, false
	}
	return clusterID{Scope: scope{Path: []string{}, Clusters: clusters{kafka, s.engine.ServiceID()}}}, true
}

func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.clusterID(w, r); ok {
		writeJSON(w, http.StatusOK, struct {
			Version string    `json:"version"`
			Cluster clusterID `json:"clusterId"`
		}{Version, id})
	}
}

func (s *Server) metadataID(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.clusterID(w, r); ok {
		writeJSON(w, http.StatusOK, id)
	}
}

func isValidProperty(w http.ResponseWriter, name string) {
	if err := engine.CheckProperty(name); err != nil {
		writeError(w, asError(err), true)
		return
	}
	writeJSON(w, http.StatusOK, true)
}

package engine

import (
	"maps"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// session is what SET and DEFINE change for the statements after them in the
// same request.
type session struct {
	server     map[string]string
	properties map[string]string
	variables  map[string]string
}

func (e *Engine) newSession(properties, variables map[string]string) *session {
	s := &session{server: e.cfg.Properties, properties: map[string]string{}, variables: map[string]string{}}
	maps.Copy(s.properties, properties)
	maps.Copy(s.variables, variables)
	return s
}

func (s *session) clone() *session {
	return &session{server: s.server, properties: maps.Clone(s.properties), variables: maps.Clone(s.variables)}
}

// config is what the analyzer needs of the settings in force: those of the
// server, then those of the request.
func (s *session) config() (analyze.Config, error) {
	all := maps.Clone(s.server)
	if all == nil {
		all = map[string]string{}
	}
	for name, value := range s.properties {
		all[strings.TrimPrefix(name, streamsPrefix)] = value
	}
	cfg, err := analyze.ConfigFrom(all)
	if err != nil {
		return cfg, &Error{Code: CodeBadRequest, Message: err.Error()}
	}
	cfg.Properties = maps.Clone(s.properties)
	return cfg, nil
}

// substitute fills in the session's variables.
func (s *session) substitute(text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	return parser.Substitute(text, s.variables)
}

package registry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// The modes.
const (
	modeReadWrite        = "READWRITE"
	modeReadOnly         = "READONLY"
	modeReadOnlyOverride = "READONLY_OVERRIDE"
	modeImport           = "IMPORT"
)

// scope is what the settings in the path are about: a subject, a context, or
// all.
func (c *call) settingScope() string {
	if len(c.vars) == 0 {
		return contextScope(qualify(c.scope, ""))
	}
	return c.subject(0)
}

// configRequest is the body of a change of settings. Attributes that are absent
// stay as they are.
type configRequest struct {
	Alias              *string         `json:"alias,omitempty"`
	Normalize          *bool           `json:"normalize,omitempty"`
	ValidateFields     *bool           `json:"validateFields,omitempty"`
	Compatibility      *string         `json:"compatibility,omitempty"`
	CompatibilityGroup *string         `json:"compatibilityGroup,omitempty"`
	DefaultMetadata    *metadata       `json:"defaultMetadata,omitempty"`
	OverrideMetadata   *metadata       `json:"overrideMetadata,omitempty"`
	DefaultRuleSet     json.RawMessage `json:"defaultRuleSet,omitempty"`
	OverrideRuleSet    json.RawMessage `json:"overrideRuleSet,omitempty"`
}

// configAnswer is the settings in an answer.
type configAnswer struct {
	CompatibilityLevel string          `json:"compatibilityLevel"`
	Alias              string          `json:"alias,omitempty"`
	Normalize          *bool           `json:"normalize,omitempty"`
	ValidateFields     *bool           `json:"validateFields,omitempty"`
	CompatibilityGroup string          `json:"compatibilityGroup,omitempty"`
	DefaultMetadata    *metadata       `json:"defaultMetadata,omitempty"`
	OverrideMetadata   *metadata       `json:"overrideMetadata,omitempty"`
	DefaultRuleSet     json.RawMessage `json:"defaultRuleSet,omitempty"`
	OverrideRuleSet    json.RawMessage `json:"overrideRuleSet,omitempty"`
}

// answerConfig gives settings with the level in force for their scope.
func (s *state) answerConfig(scope string, c *configValue) configAnswer {
	if c == nil {
		return configAnswer{CompatibilityLevel: s.level(scope)}
	}
	level := c.CompatibilityLevel
	if level == "" {
		level = s.level(scope)
	}
	return configAnswer{level, c.Alias, c.Normalize, c.ValidateFields, c.CompatibilityGroup, c.DefaultMetadata, c.OverrideMetadata, c.DefaultRuleSet, c.OverrideRuleSet}
}

func getConfig(r *Registry, c *call) (any, error) {
	scope := c.settingScope()
	return r.read(c.ctx, func(s *state) (any, error) {
		own := s.configs[scope]
		if own == nil && scope != "" {
			if !c.flag("defaultToGlobal") {
				return nil, errNoSubjectConfig(scope)
			}
			own = s.config(scope)
		}
		return s.answerConfig(scope, own), nil
	})
}

func putConfig(r *Registry, c *call) (any, error) {
	var q configRequest
	if err := c.decode(&q, "updateConfig.arg1"); err != nil {
		return nil, err
	}
	level := ""
	if q.Compatibility != nil {
		var ok bool
		if level, ok = parseLevel(*q.Compatibility); !ok {
			return nil, errInvalidLevel()
		}
	}
	if len(q.DefaultRuleSet) > 0 || len(q.OverrideRuleSet) > 0 {
		return nil, fail(501, 50104, "Rule sets are not supported by this registry")
	}
	scope := c.settingScope()
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		if err := s.checkSettable(scope); err != nil {
			return nil, nil, err
		}
		var updated configValue
		if old := s.configs[scope]; old != nil {
			updated = *old
		}
		if level != "" {
			updated.CompatibilityLevel = level
		}
		setIfGiven(&updated.Alias, q.Alias)
		setIfGiven(&updated.CompatibilityGroup, q.CompatibilityGroup)
		if q.Normalize != nil {
			updated.Normalize = q.Normalize
		}
		if q.ValidateFields != nil {
			updated.ValidateFields = q.ValidateFields
		}
		if q.DefaultMetadata != nil {
			updated.DefaultMetadata = q.DefaultMetadata
		}
		if q.OverrideMetadata != nil {
			updated.OverrideMetadata = q.OverrideMetadata
		}
		return q, []record{configRecord(scope, &updated)}, nil
	})
}

func setIfGiven(field, given *string) {
	if given != nil {
		*field = *given
	}
}

// checkSettable reports whether the mode allows a change of settings.
func (s *state) checkSettable(scope string) error {
	if mode := s.mode(scope); mode == modeReadOnly || mode == modeReadOnlyOverride {
		name := scope
		if name == "" {
			name = "null"
		}
		return errNotPermitted("Subject %s is in read-only mode", name)
	}
	return nil
}

func deleteConfig(r *Registry, c *call) (any, error) {
	scope := c.settingScope()
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		own := s.configs[scope]
		if own == nil && scope != "" {
			return nil, nil, errSubjectNotFound(scope)
		}
		if err := s.checkSettable(scope); err != nil {
			return nil, nil, err
		}
		return s.answerConfig(scope, own), []record{configRecord(scope, nil)}, nil
	})
}

// modeBody is the body of requests and answers about modes.
type modeBody struct {
	Mode string `json:"mode"`
}

func getMode(r *Registry, c *call) (any, error) {
	scope := c.settingScope()
	return r.read(c.ctx, func(s *state) (any, error) {
		own := s.modes[scope]
		if own == "" && scope != "" {
			if !c.flag("defaultToGlobal") {
				return nil, errNoSubjectMode(scope)
			}
		}
		if own == "" {
			own = s.mode(scope)
		}
		return modeBody{own}, nil
	})
}

func putMode(r *Registry, c *call) (any, error) {
	var q modeBody
	if err := c.decode(&q, "updateMode.arg1"); err != nil {
		return nil, err
	}
	if q.Mode == "" {
		return nil, errInternal() // which a body without a mode comes to there
	}
	mode := strings.ToUpper(q.Mode)
	if !slices.Contains([]string{modeReadWrite, modeReadOnly, modeReadOnlyOverride, modeImport}, mode) {
		return nil, errInvalidMode()
	}
	scope := c.settingScope()
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		if mode == modeImport && !c.flag("force") && s.mode(scope) != modeImport && s.anyIn(scope) {
			return nil, nil, errNotPermitted("Cannot import since found existing subjects")
		}
		return q, []record{modeRecord(scope, mode)}, nil
	})
}

// anyIn reports whether a subject, a context or the registry has versions.
func (s *state) anyIn(scope string) bool {
	if scope == contextScope(scope) {
		return len(s.subjectsWith(scope, notDeleted)) > 0
	}
	return s.exists(scope, notDeleted)
}

func deleteMode(r *Registry, c *call) (any, error) {
	scope := c.settingScope()
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		own := s.modes[scope]
		if own == "" {
			if scope != "" {
				return nil, nil, errSubjectNotFound(scope)
			}
			own = modeReadWrite
		}
		return modeBody{own}, []record{modeRecord(scope, "")}, nil
	})
}

// metadataTimeout bounds asking the cluster for its id.
const metadataTimeout = 5 * time.Second

func metadataID(r *Registry, c *call) (any, error) {
	id := r.cfg.ClusterID
	if id == "" {
		r.mu.RLock()
		t := r.topic
		r.mu.RUnlock()
		if t == nil {
			return nil, errStore(errNotLoaded)
		}
		ctx, cancel := context.WithTimeout(c.ctx, metadataTimeout)
		defer cancel()
		meta, err := kadm.NewClient(t.client).BrokerMetadata(ctx)
		if err != nil {
			return nil, errStore(err)
		}
		id = meta.Cluster
	}
	type clusters struct {
		Kafka    string `json:"kafka-cluster"`
		Registry string `json:"schema-registry-cluster"`
	}
	type scope struct {
		Path     []string `json:"path"`
		Clusters clusters `json:"clusters"`
	}
	return struct {
		Scope scope `json:"scope"`
	}{scope{[]string{}, clusters{id, clientID}}}, nil
}

// compatibleRelease is the release of Confluent Schema Registry whose interface
// this one has.
const compatibleRelease = "7.9.0"

func metadataVersion(*Registry, *call) (any, error) {
	return struct {
		Version  string `json:"version"`
		CommitID string `json:"commitId"`
	}{compatibleRelease, "embedded"}, nil
}

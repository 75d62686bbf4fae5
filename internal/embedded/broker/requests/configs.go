package requests

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// describeConfigs answers DescribeConfigs, for topics and the broker.
func (s *Server) describeConfigs(_ context.Context, _ *wire.Client, req *kmsg.DescribeConfigsRequest) (*kmsg.DescribeConfigsResponse, error) {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	answered := map[resource]bool{}
	for _, r := range req.Resources {
		if answered[resource{r.ResourceType, r.ResourceName}] {
			continue
		}
		answered[resource{r.ResourceType, r.ResourceName}] = true
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = r.ResourceType, r.ResourceName
		all, err := s.configs(r)
		rr.ErrorCode, rr.ErrorMessage = code(err), message(err)
		for _, c := range all {
			if r.ConfigNames != nil && !slices.Contains(r.ConfigNames, c.Name) {
				continue
			}
			if !req.IncludeSynonyms {
				c.ConfigSynonyms = nil
			}
			rr.Configs = append(rr.Configs, c)
		}
		resp.Resources = append(resp.Resources, rr)
	}
	return resp, nil
}

func (s *Server) configs(r kmsg.DescribeConfigsRequestResource) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	switch r.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		t, err := s.named(&r.ResourceName, [16]byte{})
		if err != nil {
			return nil, err
		}
		return s.topicConfigs(t.Values()), nil
	case kmsg.ConfigResourceTypeBroker:
		if err := checkBroker(r.ResourceName); err != nil {
			return nil, err
		}
		if r.ResourceName == "" {
			return nil, nil // the cluster's dynamic defaults: there are none
		}
		return s.brokerConfigs(), nil
	case kmsg.ConfigResourceTypeBrokerLogger:
		return nil, checkBroker(r.ResourceName)
	default:
		return nil, refusal.New(kerr.InvalidRequest, "Unsupported resource type: %s", r.ResourceType)
	}
}

func checkBroker(name string) error {
	if name != "" && name != strconv.Itoa(NodeID) {
		return refusal.New(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", NodeID, name)
	}
	return nil
}

func (s *Server) topicConfigs(values settings.Values) []kmsg.DescribeConfigsResponseResourceConfig {
	var configs []kmsg.DescribeConfigsResponseResourceConfig
	for _, d := range settings.Topic() {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.ConfigType = d.Name, kmsg.ConfigType(d.Type)
		fallback := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		fallback.Name, fallback.Value, fallback.Source = d.Broker, kmsg.StringPtr(d.Default), kmsg.ConfigSourceDefaultConfig
		value, set := values[d.Name]
		if set {
			own := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			own.Name, own.Value, own.Source = d.Name, kmsg.StringPtr(value), kmsg.ConfigSourceDynamicTopicConfig
			c.ConfigSynonyms = append(c.ConfigSynonyms, own)
		}
		if d.Broker != "" {
			c.ConfigSynonyms = append(c.ConfigSynonyms, fallback)
		}
		c.Value, c.Source, c.IsDefault = kmsg.StringPtr(values.Get(d.Name)), kmsg.ConfigSourceDefaultConfig, !set
		if set {
			c.Source = kmsg.ConfigSourceDynamicTopicConfig
		}
		configs = append(configs, c)
	}
	return configs
}

func (s *Server) brokerConfigs() []kmsg.DescribeConfigsResponseResourceConfig {
	var configs []kmsg.DescribeConfigsResponseResourceConfig
	for _, v := range s.cfg.Broker {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value, c.ConfigType, c.ReadOnly = v.Name, kmsg.StringPtr(v.Value), kmsg.ConfigType(v.Type), true
		c.Source, c.IsDefault = kmsg.ConfigSourceDefaultConfig, !v.Set
		if v.Set {
			c.Source = kmsg.ConfigSourceStaticBrokerConfig
		}
		same := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		same.Name, same.Value, same.Source = c.Name, c.Value, c.Source
		c.ConfigSynonyms = append(c.ConfigSynonyms, same)
		configs = append(configs, c)
	}
	return configs
}

// errFixed refuses changes of the broker's own settings.
var errFixed = refusal.New(kerr.PolicyViolation, "the settings of the embedded broker are those it was started with")

// alter changes the settings of one resource.
func (s *Server) alter(kind kmsg.ConfigResourceType, name string, validateOnly bool, change func(settings.Values) error) error {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		t, err := s.named(&name, [16]byte{})
		if err != nil {
			return err
		}
		return s.cfg.Catalog.Configure(t, validateOnly, change)
	case kmsg.ConfigResourceTypeBroker:
		if err := checkBroker(name); err != nil {
			return err
		}
		return errFixed
	default:
		return refusal.New(kerr.InvalidRequest, "Unsupported resource type: %s", kind)
	}
}

// alterConfigs answers AlterConfigs: settings that aren't named are the defaults
// again.
func (s *Server) alterConfigs(_ context.Context, _ *wire.Client, req *kmsg.AlterConfigsRequest) (*kmsg.AlterConfigsResponse, error) {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	for _, r := range req.Resources {
		err := s.alter(r.ResourceType, r.ResourceName, req.ValidateOnly, func(values settings.Values) error {
			clear(values)
			for _, c := range r.Configs {
				if c.Value == nil {
					return nullValue(c.Name)
				}
				values[c.Name] = *c.Value
			}
			return nil
		})
		rr := kmsg.NewAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = r.ResourceType, r.ResourceName
		rr.ErrorCode, rr.ErrorMessage = code(err), message(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp, nil
}

func nullValue(name string) error {
	return refusal.New(kerr.InvalidConfig, "Null value not supported for : %s", name)
}

// incrementalAlterConfigs answers IncrementalAlterConfigs: only what is named
// changes.
func (s *Server) incrementalAlterConfigs(_ context.Context, _ *wire.Client, req *kmsg.IncrementalAlterConfigsRequest) (*kmsg.IncrementalAlterConfigsResponse, error) {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, r := range req.Resources {
		err := s.alter(r.ResourceType, r.ResourceName, req.ValidateOnly, func(values settings.Values) error {
			return applyChanges(values, r.Configs)
		})
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = r.ResourceType, r.ResourceName
		rr.ErrorCode, rr.ErrorMessage = code(err), message(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp, nil
}

func applyChanges(values settings.Values, changes []kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	seen := map[string]bool{}
	for _, c := range changes {
		if seen[c.Name] {
			return refusal.New(kerr.InvalidRequest, "Error due to duplicate config keys: %s", c.Name)
		}
		seen[c.Name] = true
		if c.Op == kmsg.IncrementalAlterConfigOpDelete {
			if _, known := settings.Lookup(c.Name); !known {
				return refusal.New(kerr.InvalidConfig, "Unknown topic config name: %s", c.Name)
			}
			delete(values, c.Name)
			continue
		}
		if c.Value == nil {
			return nullValue(c.Name)
		}
		if c.Op == kmsg.IncrementalAlterConfigOpSet {
			values[c.Name] = *c.Value
			continue
		}
		if len(*c.Value) > settings.MaxValueBytes {
			return refusal.New(kerr.InvalidConfig, "Invalid value for configuration %s: it has %d bytes, %d are allowed", c.Name, len(*c.Value), settings.MaxValueBytes)
		}
		d, known := settings.Lookup(c.Name)
		if !known || d.Type != settings.List {
			return refusal.New(kerr.InvalidConfig, "Config value append is not allowed for config key: %s", c.Name)
		}
		values[c.Name] = changeList(values.Get(c.Name), *c.Value, c.Op == kmsg.IncrementalAlterConfigOpAppend)
	}
	return nil
}

// changeList adds items to a list, or takes them out of it.
func changeList(list, items string, add bool) string {
	var all []string
	if list != "" {
		all = strings.Split(list, ",")
	}
	for item := range strings.SplitSeq(items, ",") {
		switch has := slices.Contains(all, item); {
		case add && !has:
			all = append(all, item)
		case !add:
			all = slices.DeleteFunc(all, func(s string) bool { return s == item })
		}
	}
	return strings.Join(all, ",")
}

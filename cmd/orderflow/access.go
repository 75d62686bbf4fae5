package main

import (
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/config"
)

// serverAccess is how the clients of all commands reach their servers.
type serverAccess struct {
	kafka          []kgo.Opt
	schemaRegistry http.RoundTripper
	connect        http.RoundTripper
	elasticsearch  http.RoundTripper
	api            http.RoundTripper
}

func newServerAccess(cfg *config.Config) (*serverAccess, error) {
	var a serverAccess
	var err error
	if a.kafka, err = cfg.KafkaAccess().Options(); err != nil {
		return nil, fmt.Errorf("setting up access to Kafka: %w", err)
	}
	for _, server := range []struct {
		name   string
		access access.HTTP
		to     *http.RoundTripper
	}{
		{"the Schema Registry", cfg.SchemaRegistryAccess(), &a.schemaRegistry},
		{"Connect", cfg.ConnectAccess(), &a.connect},
		{"Elasticsearch", cfg.ElasticsearchAccess(), &a.elasticsearch},
		{"the orders API", cfg.APIAccess(), &a.api},
	} {
		if *server.to, err = server.access.Transport(); err != nil {
			return nil, fmt.Errorf("setting up access to %s: %w", server.name, err)
		}
	}
	return &a, nil
}

// apiHTTPClient is the client with which this process uses the orders API.
func apiHTTPClient(env *environment) *http.Client {
	return &http.Client{Transport: env.access.api}
}

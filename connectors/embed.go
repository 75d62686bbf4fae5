// Package connectors holds the definitions of what runs beside ksqlDB: a file per
// connector ({"name", "config"} with the connectors' own keys), the Elasticsearch
// index templates (elasticsearch/NAME.json) and the Kibana saved objects
// (kibana/orderflow.ndjson).
//
// Invariant: a value that differs between an embedded and a real cluster is written
// ${env:NAME}; internal/connectors puts it in.
package connectors

import "embed"

// Files are the connector files, the index templates and the saved objects.
//
//go:embed *.json elasticsearch/*.json kibana/*.ndjson
var Files embed.FS

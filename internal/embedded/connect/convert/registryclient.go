package convert

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

const (
	registryTimeout = 30 * time.Second // for one request
	registryIdle    = time.Minute      // an unused connection is kept
)

// The ways in which a converter says who it is.
const (
	fromURL     = "URL"       // the user and password in the registry's URL
	userInfo    = "USER_INFO" // those in basic.auth.user.info
	staticToken = "STATIC_TOKEN"
)

// The settings of TLS towards the registry.
const (
	trustType      = "schema.registry.ssl.truststore.type"
	trustLocation  = "schema.registry.ssl.truststore.location"
	trustTexts     = "schema.registry.ssl.truststore.certificates"
	keyType        = "schema.registry.ssl.keystore.type"
	keyLocation    = "schema.registry.ssl.keystore.location"
	keyChain       = "schema.registry.ssl.keystore.certificate.chain"
	keyText        = "schema.registry.ssl.keystore.key"
	checksHostname = "schema.registry.ssl.endpoint.identification.algorithm"
	pemStore       = "PEM"
)

// registryKeys are the settings that all converters with schemas in a registry
// have.
func registryKeys() []config.Key {
	strategy := func(name string) config.Key {
		return config.Key{Name: name, Type: config.Class, Default: config.Default(topicStrategy), Importance: config.Medium, Order: -1, Width: config.NoWidth,
			Display: name, Check: config.OneOf(topicStrategy, recordStrategy, topicRecordStrategy), Doc: "How the subjects of schemas are named: by the topic, the record, or both."}
	}
	return []config.Key{
		{Name: "schema.registry.url", Type: config.List, Required: true, Importance: config.High, Order: -1, Width: config.NoWidth,
			Display: "schema.registry.url", Check: config.NonNull, Doc: "The URLs of the Schema Registry, separated by commas."},
		flagKey("auto.register.schemas", "true", false, "Whether the schema of written data is registered."),
		flagKey("use.latest.version", "false", false, "Whether data is written with the subject's latest schema; needs auto.register.schemas=false."),
		flagKey("latest.compatibility.strict", "true", false, "Whether the latest schema must be able to read what the data's own schema writes."),
		flagKey("normalize.schemas", "false", false, "Whether schemas are normalized before they are registered or looked up."),
		numberKey("schemas.cache.config", "1000", "How many schemas are kept."),
		numberKey("max.schemas.per.subject", "1000", "How many schemas of a subject are kept."),
		strategy("key.subject.name.strategy"),
		strategy("value.subject.name.strategy"),
		wordKey("basic.auth.credentials.source", fromURL, config.OneOf(fromURL, userInfo), "Where user and password come from: URL or USER_INFO."),
		secretKey("basic.auth.user.info", "User and password, with a colon between them."),
		wordKey("bearer.auth.credentials.source", staticToken, config.OneOf(staticToken), "Where the token comes from."),
		secretKey("bearer.auth.token", "The token that is sent as \"Authorization: Bearer\"."),
		wordKey(trustType, "JKS", nil, "The form of the trusted certificates; the embedded worker reads PEM."),
		wordKey(trustLocation, "", nil, "The file of trusted certificates."),
		secretKey(trustTexts, "Trusted certificates in PEM."),
		wordKey(keyType, "JKS", nil, "The form of the own certificate; the embedded worker reads PEM."),
		wordKey(keyLocation, "", nil, "The file of the own certificate and its key."),
		secretKey(keyChain, "The own certificate in PEM, with those between it and its root."),
		secretKey(keyText, "The own key in PEM, not encrypted."),
		wordKey(checksHostname, "https", config.OneOf("https", ""), "https: the server's certificate must have its host name; empty: it need not."),
		textKey("schema.registry.ssl.truststore.password", ""),
		textKey("schema.registry.ssl.keystore.password", ""),
		textKey("schema.registry.ssl.key.password", ""),
		textKey("context.name.strategy", "io.confluent.kafka.serializers.context.NullContextNameStrategy"),
		textKey("reference.subject.name.strategy", "io.confluent.kafka.serializers.subject.DefaultReferenceSubjectNameStrategy"),
		textKey("use.schema.id", "-1"),
		flagKey("id.compatibility.strict", "true", true, "Only true is supported by the embedded worker."),
		textKey("latest.cache.size", "1000"),
		textKey("latest.cache.ttl.sec", "-1"),
		textKey("use.latest.with.metadata", ""),
		textKey("proxy.host", ""),
		textKey("proxy.port", "-1"),
		textKey("rule.executors", ""),
		textKey("rule.actions", ""),
		flagKey("propagate.schema.tags", "false", true, "Only false is supported by the embedded worker."),
	}
}

func numberKey(name, def, doc string) config.Key {
	return config.Key{Name: name, Type: config.Int, Default: &def, Importance: config.Low, Order: -1, Width: config.NoWidth, Display: name, Check: config.AtLeast(0), Doc: doc}
}

func wordKey(name, def string, check func(any) error, doc string) config.Key {
	return config.Key{Name: name, Type: config.String, Default: &def, Importance: config.Medium, Order: -1, Width: config.NoWidth, Display: name, Check: check, Doc: doc}
}

func secretKey(name, doc string) config.Key {
	return config.Key{Name: name, Type: config.Password, Importance: config.Medium, Order: -1, Width: config.NoWidth, Display: name, Doc: doc}
}

// registryClient connects to a registry as the settings say.
func registryClient(env Environment, s config.Settings) (*sr.Client, error) {
	security, err := registryTLS(env, s)
	if err != nil {
		return nil, err
	}
	dial := env.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	opts := []sr.ClientOpt{sr.URLs(s.List("schema.registry.url")...), sr.UserAgent("orderflow-connect"),
		sr.HTTPClient(&http.Client{Timeout: registryTimeout, Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dial, IdleConnTimeout: registryIdle, TLSClientConfig: security,
		}})}
	if token := s.Text("bearer.auth.token"); token != "" {
		opts = append(opts, sr.BearerToken(token))
	}
	if s.Text("basic.auth.credentials.source") == userInfo {
		user, password, ok := strings.Cut(s.Text("basic.auth.user.info"), ":")
		if !ok {
			return nil, fault.New(fault.Config, "UserInfo must be provided when basic.auth.credentials.source is set to USER_INFO: set basic.auth.user.info to USER:PASSWORD")
		}
		opts = append(opts, sr.BasicAuth(user, password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fault.New(fault.Config, "connecting to the Schema Registry: %s", err)
	}
	return client, nil
}

// registryTLS gives what is trusted and shown, nil for the system's defaults.
func registryTLS(env Environment, s config.Settings) (*tls.Config, error) {
	trusted, err := pem(env, s, trustType, trustLocation, trustTexts)
	if err != nil {
		return nil, err
	}
	own, err := pem(env, s, keyType, keyLocation, keyChain)
	if err != nil {
		return nil, err
	}
	anyHost := s.Text(checksHostname) == ""
	if trusted == nil && own == nil && !anyHost {
		return nil, nil
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12}
	if trusted != nil {
		security.RootCAs = x509.NewCertPool()
		if !security.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, fault.New(fault.InvalidConfiguration, "No matching certificate entries in PEM file: %s", storeName(s, trustLocation, trustTexts))
		}
	}
	if own != nil {
		key := []byte(s.Text(keyText))
		if len(key) == 0 {
			key = own // one file has both
		}
		certificate, err := tls.X509KeyPair(own, key)
		if err != nil {
			return nil, fault.New(fault.InvalidConfiguration, "Invalid PEM keystore configs: %s: %s", storeName(s, keyLocation, keyChain), err)
		}
		security.Certificates = []tls.Certificate{certificate}
	}
	if anyHost {
		acceptAnyHost(security)
	}
	return security, nil
}

func storeName(s config.Settings, location, text string) string {
	if file := s.Text(location); file != "" {
		return file
	}
	return text
}

// pem gives certificates in PEM from a file or a setting, nil for none.
func pem(env Environment, s config.Settings, kind, location, text string) ([]byte, error) {
	file, given := s.Text(location), s.Text(text)
	switch {
	case file == "" && given == "":
		return nil, nil
	case !strings.EqualFold(s.Text(kind), pemStore):
		return nil, fault.New(fault.Config, "Invalid value %s for configuration %s: the embedded worker reads PEM only; set it to PEM", s.Text(kind), kind)
	case file != "" && given != "":
		return nil, fault.New(fault.InvalidConfiguration, "Both %s and %s are set: give the certificates one way", location, text)
	case given != "":
		return []byte(given), nil
	}
	read := env.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	raw, err := read(file)
	if err != nil {
		return nil, fault.New(fault.Kafka, "Failed to load PEM SSL keystore %s: %s", file, err)
	}
	return raw, nil
}

// acceptAnyHost checks where a certificate comes from, but not whose it is.
func acceptAnyHost(security *tls.Config) {
	roots := security.RootCAs
	security.InsecureSkipVerify = true //nolint:gosec // the chain is verified below
	security.VerifyConnection = func(state tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/indexcheck"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/telemetry"
	"github.com/orderflow/orderflow/internal/topics"
)

// doctorTimeout bounds one check.
const doctorTimeout = 5 * time.Second

// finding is what one check of doctor found. Without an error it is fine.
type finding struct {
	name, detail string
	err          error
}

// newDoctorCommand looks at everything that orderflow needs and says what is wrong.
func newDoctorCommand(env *environment) *cobra.Command {
	var index, all bool
	var output outputForm
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the servers and settings that orderflow needs",
		Long: `Look at Kafka, the topics and schemas, ksqlDB and its queries, Connect and its
connectors, Elasticsearch and the API, and say what is wrong and what to do. It
changes nothing. The exit code is 1 when something is wrong.

With --verify-index it reads the whole topic order-states.v1 and the whole search
index instead, and lists every order whose document is missing, extra, or not the order's
last state.

With --verify it reads all topics, the table of states, the fraud list, the search index
and the stock instead, and compares them by rules of its own: each order has one final
record, which its checks call for; stock was never oversold; each paid order has one
e-mail; and so on. It keeps all of it in memory.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case all:
				if !cmd.Flags().Changed("patience") {
					patience = verifyPatience
				}
				return verifyAll(cmd.Context(), env, patience, output)
			case index:
				return verifyIndex(cmd.Context(), env, patience, output)
			}
			findings := examine(cmd.Context(), env)
			if err := printFindings(env.stdout, findings, output); err != nil {
				return err
			}
			wrong := 0
			for _, f := range findings {
				if f.err != nil {
					wrong++
				}
			}
			if wrong > 0 {
				return fmt.Errorf("%d of %d checks found something wrong", wrong, len(findings))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&index, "verify-index", false, "prove that the search index is equal to the last state of every order")
	cmd.Flags().BoolVar(&all, "verify", false, "check all that is stored and shown: that nothing was lost and nothing happened twice")
	cmd.MarkFlagsMutuallyExclusive("verify", "verify-index")
	cmd.Flags().DurationVar(&patience, "patience", indexcheck.DefaultPatience, "how long what is under way may take to be done, with --verify-index and --verify (30s)")
	addOutputFlag(cmd, &output)
	return cmd
}

func printFindings(w io.Writer, findings []finding, output outputForm) error {
	if output == outputJSON {
		type check struct {
			Name string `json:"name"`
			OK   bool   `json:"ok"`
			Text string `json:"text"`
		}
		checks := []check{}
		for _, f := range findings {
			c := check{f.name, f.err == nil, f.detail}
			if f.err != nil {
				c.Text = f.err.Error()
			}
			checks = append(checks, c)
		}
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"checks": checks})
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		state, text := "ok", f.detail
		if f.err != nil {
			state, text = "WRONG", oneLine(f.err.Error())
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", state, f.name, text); err != nil {
			return err
		}
	}
	return table.Flush()
}

func examine(ctx context.Context, env *environment) []finding {
	var findings []finding
	check := func(name string, f func(context.Context) (string, error)) {
		ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
		defer cancel()
		detail, err := f(ctx)
		findings = append(findings, finding{name: name, detail: detail, err: err})
	}
	check("kafka and topics", func(ctx context.Context) (string, error) { return examineTopics(ctx, env) })
	check("ksqldb", func(ctx context.Context) (string, error) { return examineKsqlDB(ctx, env) })
	check("ksqldb settings", func(ctx context.Context) (string, error) { return examineProperties(ctx, env) })
	check("ksqldb queries", func(ctx context.Context) (string, error) { return examineQueries(ctx, env) })
	check("connectors", func(ctx context.Context) (string, error) {
		return examineConnectors(ctx, env.access.connect, env.config.ConnectURL())
	})
	check("elasticsearch", func(ctx context.Context) (string, error) {
		return examineElasticsearch(ctx, env.access.elasticsearch, env.config.ElasticsearchURL())
	})
	check("api", func(ctx context.Context) (string, error) { return examineAPI(ctx, env.access.api, env.config.APIURL()) })
	return findings
}

// examineTopics compares the topics and schemas with the definition.
func examineTopics(ctx context.Context, env *environment) (detail string, err error) {
	err = withCluster(env, func(cluster topics.Cluster) error {
		def, err := loadTopics("")
		if err != nil {
			return err
		}
		brokers, err := cluster.Kafka.ListBrokers(ctx)
		if err != nil {
			return fmt.Errorf("reaching Kafka at %s: %w", strings.Join(env.config.KafkaBrokers(), ","), err)
		}
		plan, err := topics.NewPlan(ctx, def, cluster)
		if err != nil {
			return err
		}
		var drift []string
		for _, item := range plan.Items {
			if item.State != topics.Unchanged {
				drift = append(drift, fmt.Sprintf("%s %s: %s %s", item.Kind, item.Name, item.State, item.Detail))
			}
		}
		if len(drift) > 0 {
			return fmt.Errorf("%s (`orderflow topics apply`)", strings.Join(drift, ", "))
		}
		detail = fmt.Sprintf("%d brokers, %d topics and schemas as defined", len(brokers), len(plan.Items))
		return examineLag(ctx, cluster.Kafka)
	})
	return detail, err
}

// examineLag reports consumer groups of ours that nobody serves.
func examineLag(ctx context.Context, admin *kadm.Client) error {
	groups, err := admin.DescribeGroups(ctx, "orderflow-inventory", "orderflow-email")
	if err != nil {
		return fmt.Errorf("looking up consumer groups: %w", err)
	}
	var idle []string
	for _, g := range groups {
		if len(g.Members) == 0 {
			idle = append(idle, g.Group)
		}
	}
	if len(idle) > 0 {
		slices.Sort(idle)
		return fmt.Errorf("nobody serves %s (`orderflow up`, or `orderflow inventory` and `orderflow email`)", strings.Join(idle, " and "))
	}
	return nil
}

func withKsql(env *environment, f func(*ksql.Client) (string, error)) (string, error) {
	client, err := ksql.New(ksqlConfig(env))
	if err != nil {
		return "", err
	}
	defer client.Close()
	return f(client)
}

func examineKsqlDB(ctx context.Context, env *environment) (string, error) {
	return withKsql(env, func(client *ksql.Client) (string, error) {
		info, err := client.Info(ctx)
		if err != nil {
			return "", fmt.Errorf("reaching ksqlDB at %s: %w", client.URL(), err)
		}
		health, err := client.Health(ctx)
		if err != nil {
			return "", err
		}
		if !health.Healthy {
			return "", fmt.Errorf("ksqlDB at %s says that it is not healthy: %v", client.URL(), health.Details)
		}
		return fmt.Sprintf("version %s, service id %s", info.Version, info.ServiceID), nil
	})
}

// wantedProperties are the server settings without which the migrations do not work
// as they should.
var wantedProperties = map[string]string{
	"ksql.streams.processing.guarantee":                 "exactly_once_v2",
	"ksql.schema.registry.enhanced.avro.schema.support": "true",
}

func examineProperties(ctx context.Context, env *environment) (string, error) {
	return withKsql(env, func(client *ksql.Client) (string, error) {
		entities, err := client.Exec(ctx, "SHOW PROPERTIES;", ksql.ExecOptions{})
		if err != nil {
			return "", err
		}
		if len(entities) != 1 {
			return "", fmt.Errorf("ksqlDB answered SHOW PROPERTIES with %d entities instead of one", len(entities))
		}
		var answer struct {
			Properties []struct {
				Name  string `json:"name"`
				Value string `json:"value"`
			} `json:"properties"`
		}
		if err := entities[0].Decode(&answer); err != nil {
			return "", err
		}
		have := map[string]string{}
		for _, p := range answer.Properties {
			have[p.Name] = p.Value
		}
		var wrong []string
		for name, want := range wantedProperties {
			if have[name] != want {
				wrong = append(wrong, fmt.Sprintf("%s is %q and must be %q", name, have[name], want))
			}
		}
		if len(wrong) > 0 {
			slices.Sort(wrong)
			return "", fmt.Errorf("%s (set it in the server's properties)", strings.Join(wrong, ", "))
		}
		return "exactly-once processing, enhanced Avro support", nil
	})
}

func examineQueries(ctx context.Context, env *environment) (string, error) {
	return withKsql(env, func(client *ksql.Client) (string, error) {
		queries, err := client.ListQueries(ctx)
		if err != nil {
			return "", err
		}
		running := 0
		var wrong []string
		for _, q := range queries {
			if q.QueryType != "PERSISTENT" {
				continue
			}
			if q.State != "RUNNING" {
				wrong = append(wrong, q.ID+" is "+q.State)
			}
			running++
		}
		if len(wrong) > 0 {
			return "", errors.New(strings.Join(wrong, ", "))
		}
		if running == 0 {
			return "", errors.New("no query runs (`orderflow migrate apply`)")
		}
		return fmt.Sprintf("%d running", running), nil
	})
}

func examineConnectors(ctx context.Context, transport http.RoundTripper, url string) (string, error) {
	var connectors map[string]struct {
		Status struct {
			Connector struct {
				State string `json:"state"`
			} `json:"connector"`
			Tasks []struct {
				ID    int    `json:"id"`
				State string `json:"state"`
				Trace string `json:"trace"`
			} `json:"tasks"`
		} `json:"status"`
	}
	if err := getJSON(ctx, transport, url+"/connectors?expand=status", &connectors); err != nil {
		return "", fmt.Errorf("reaching Connect: %w", err)
	}
	if len(connectors) == 0 {
		return "", errors.New("there is no connector (`orderflow connectors apply`)")
	}
	var wrong []string
	for name, c := range connectors {
		if s := c.Status.Connector.State; s != "RUNNING" {
			wrong = append(wrong, name+" is "+s)
		}
		for _, t := range c.Status.Tasks {
			if t.State != "RUNNING" {
				reason, _, _ := strings.Cut(t.Trace, "\n")
				wrong = append(wrong, strings.TrimSpace(fmt.Sprintf("task %d of %s is %s %s", t.ID, name, t.State, reason)))
			}
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return "", errors.New(strings.Join(wrong, ", "))
	}
	return fmt.Sprintf("%d running", len(connectors)), nil
}

func examineElasticsearch(ctx context.Context, transport http.RoundTripper, url string) (string, error) {
	var health struct {
		ClusterName string `json:"cluster_name"`
		Status      string `json:"status"`
	}
	if err := getJSON(ctx, transport, url+"/_cluster/health", &health); err != nil {
		return "", fmt.Errorf("reaching Elasticsearch: %w", err)
	}
	if health.Status == "red" {
		return "", fmt.Errorf("the cluster %s is red", health.ClusterName)
	}
	return health.Status, nil
}

func examineAPI(ctx context.Context, transport http.RoundTripper, url string) (string, error) {
	var ready struct {
		Status string                  `json:"status"`
		Checks []telemetry.CheckResult `json:"checks"`
	}
	err := getJSON(ctx, transport, url+"/readyz", &ready)
	var wrong []string
	for _, c := range ready.Checks {
		if c.Error != "" {
			wrong = append(wrong, c.Name+": "+c.Error)
		}
	}
	if len(wrong) > 0 {
		return "", errors.New(strings.Join(wrong, ", "))
	}
	if err != nil {
		return "", fmt.Errorf("reaching the API: %w", err)
	}
	return ready.Status, nil
}

// getJSON decodes the answer of a GET into out, also that of a refusal, which is an
// error all the same.
func getJSON(ctx context.Context, transport http.RoundTripper, url string, out any) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	decodeErr := json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(out)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answered %s", url, res.Status)
	}
	if decodeErr != nil {
		return fmt.Errorf("reading the answer of GET %s: %w", url, decodeErr)
	}
	return nil
}

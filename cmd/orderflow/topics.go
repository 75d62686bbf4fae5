package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/topics"
	"github.com/orderflow/orderflow/schemas"
)

// newTopicsCommand makes `orderflow topics plan|apply|sample`.
func newTopicsCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Create topics and register schemas, show drift, look into topics",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newTopicsPlanCommand(env), newTopicsApplyCommand(env), newTopicsSampleCommand(env))
	return cmd
}

func newTopicsPlanCommand(env *environment) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do, changing nothing",
		Long: `Compares the topics and schemas of the definition with the cluster.
Conflicts, which apply refuses to touch, make the command fail.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withCluster(env, func(cluster topics.Cluster) error {
				def, err := loadTopics(dir)
				if err != nil {
					return err
				}
				plan, err := topics.NewPlan(cmd.Context(), def, cluster)
				if err != nil {
					return err
				}
				if err := printPlan(env.stdout, plan); err != nil {
					return err
				}
				for _, item := range plan.Items {
					if item.State == topics.Conflict {
						return topics.ErrConflict
					}
				}
				return nil
			})
		},
	}
	addDefinitionFlag(cmd, &dir)
	return cmd
}

func newTopicsApplyCommand(env *environment) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Create missing topics, register missing schemas, set drifted settings",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withCluster(env, func(cluster topics.Cluster) error {
				def, err := loadTopics(dir)
				if err != nil {
					return err
				}
				plan, err := topics.NewPlan(cmd.Context(), def, cluster)
				if err != nil {
					return err
				}
				if err := printPlan(env.stdout, plan); err != nil {
					return err
				}
				return plan.Apply(cmd.Context())
			})
		},
	}
	addDefinitionFlag(cmd, &dir)
	return cmd
}

func newTopicsSampleCommand(env *environment) *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "sample [topic ...]",
		Short: "Print the newest records of topics, decoded",
		Long: `Prints the newest records of the named topics, or of all topics but internal
ones. Values in the Schema Registry's format are decoded with their schema.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if count < 1 {
				return errors.New("--count must be at least 1")
			}
			sampler, err := topics.NewSampler(kafkaConfig(env))
			if err != nil {
				return err
			}
			defer sampler.Close()
			if len(names) == 0 {
				if names, err = sampler.Topics(cmd.Context()); err != nil {
					return err
				}
			}
			for _, name := range names {
				records, err := sampler.Sample(cmd.Context(), name, count)
				if err != nil {
					return err
				}
				if err := printRecords(env.stdout, name, records); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().IntVarP(&count, "count", "n", 3, "records to print of each topic")
	return cmd
}

func addDefinitionFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "folder with topics.json and *.avsc files (default: the ones built in)")
}

func loadTopics(dir string) (topics.Definition, error) {
	var fsys fs.FS = schemas.Files
	if dir != "" {
		fsys = os.DirFS(dir)
	}
	return topics.Load(fsys)
}

func kafkaConfig(env *environment) kafka.Config {
	return kafka.Config{
		Brokers:        env.config.KafkaBrokers(),
		SchemaRegistry: env.config.SchemaRegistryURL(),
		ClientID:       "orderflow-topics",
		Logger:         env.log,

		Options:           env.access.kafka,
		RegistryTransport: env.access.schemaRegistry,
	}
}

// withCluster calls f with clients of the configured cluster.
func withCluster(env *environment, f func(topics.Cluster) error) error {
	cfg := kafkaConfig(env)
	client, err := kafka.NewClient(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	registry, err := kafka.NewRegistry(cfg)
	if err != nil {
		return err
	}
	return f(topics.Cluster{Kafka: kadm.NewClient(client), Registry: registry.Client()})
}

func printPlan(w io.Writer, plan topics.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, item := range plan.Items {
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.State, item.Kind, item.Name, item.Detail); err != nil {
			return err
		}
	}
	return table.Flush()
}

func printRecords(w io.Writer, topic string, records []topics.Record) error {
	if len(records) == 0 {
		_, err := fmt.Fprintf(w, "%s: no records\n", topic)
		return err
	}
	if _, err := fmt.Fprintf(w, "%s:\n", topic); err != nil {
		return err
	}
	for _, r := range records {
		if _, err := fmt.Fprintf(w, "  %d/%d %s  %s  %s\n", r.Partition, r.Offset, r.Time.UTC().Format(time.RFC3339Nano), r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

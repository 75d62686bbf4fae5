package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/connectors"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/search"
)

// rebuildPatience is how long a connector may take to read its topics again. Apache
// Kafka Connect commits its offsets once a minute.
const rebuildPatience = 10 * time.Minute

// newConnectorsRebuildCommand makes the search index anew from its topic.
func newConnectorsRebuildCommand(env *environment) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "rebuild-index [connector]",
		Short: "Delete the index of a sink connector and fill it again from its topic",
		Long: `Stop a connector that writes to Elasticsearch, make it forget how far it has come,
delete its indexes, and let it read its topics from their beginning. Works on any
Connect cluster. Searches find less until it has caught up. When it was ended on the
way, run it again.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := search.OrdersIndex
			if len(args) == 1 {
				name = args[0]
			}
			return rebuildIndex(cmd.Context(), env, name, wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", rebuildPatience, "how long to wait until the topics are read again; 0 does not wait")
	return cmd
}

func rebuildIndex(ctx context.Context, env *environment, name string, wait time.Duration) error {
	index, err := searchClient(env)
	if err != nil {
		return err
	}
	def, err := loadConnectors(env, "")
	if err != nil {
		return err
	}
	client := connectors.NewClient(env.config.ConnectURL(), env.access.connect)
	if err := client.CheckIndexing(ctx, name); err != nil {
		return err
	}
	// The index must come back with its mapping.
	if err := connectors.PutTemplates(ctx, def, env.config.ElasticsearchURL(), env.access.elasticsearch); err != nil {
		return err
	}
	var printed error
	step := func(text string) {
		_, err := fmt.Fprintln(env.stdout, text)
		printed = errors.Join(printed, err)
	}
	bounded, cancel := context.WithTimeout(ctx, connectorPatience)
	defer cancel()
	topics, err := client.Rebuild(bounded, name, index.DeleteIndex, step)
	if err = errors.Join(err, printed); err != nil || wait <= 0 {
		return err
	}
	ends, err := endOffsets(ctx, env, topics)
	if err != nil {
		return err
	}
	step("reading " + fmt.Sprint(topics))
	bounded, cancel = context.WithTimeout(ctx, wait)
	defer cancel()
	if err := client.Reach(bounded, name, ends); err != nil {
		return err
	}
	step("done; `orderflow doctor --verify-index` proves it")
	return printed
}

func searchClient(env *environment) (*search.Client, error) {
	return search.New(search.Config{URL: env.config.ElasticsearchURL(), Transport: env.access.elasticsearch})
}

// endOffsets gives the offsets of the next records of topics.
func endOffsets(ctx context.Context, env *environment, topics []string) (map[string]map[int32]int64, error) {
	client, err := kafka.NewClient(kafkaConfig(env))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up how long %v are: %w", topics, err)
	}
	ends := map[string]map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Offset == 0 {
			return
		}
		if ends[o.Topic] == nil {
			ends[o.Topic] = map[int32]int64{}
		}
		ends[o.Topic][o.Partition] = o.Offset
	})
	return ends, nil
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/credentials"
)

// newCredentialCommand makes the lines of the files that --api-credentials,
// --ksqldb-credentials and --kafka-credentials name.
func newCredentialCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: "Make users and API keys for the orders API, the embedded ksqlDB and the embedded Kafka",
		Long: `Makes the lines of a file of credentials (--api-credentials, --ksqldb-credentials,
--kafka-credentials; one file may serve all). The file holds hashes alone. A user has
three lines: for basic authentication and SASL PLAIN, as htpasswd -B makes it as well,
and for SASL SCRAM-SHA-256 and SCRAM-SHA-512.`,
		Example: `  orderflow credential key till-7 >> api.credentials
  orderflow credential user anna < password.txt >> api.credentials`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "key NAME",
		Short: "Make an API key: the line goes to the standard output, the key itself to the standard error",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			key, line, err := credentials.NewAPIKey(args[0])
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(env.stderr, "The API key of %s, which is kept nowhere else: %s\n", args[0], key); err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, line)
			return err
		},
	}, &cobra.Command{
		Use:   "user NAME",
		Short: "Make a user whose password is the first line of the standard input",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading the password: %w", err)
			}
			lines, err := credentials.UserLines(args[0], strings.TrimRight(password, "\r\n"))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, strings.Join(lines, "\n"))
			return err
		},
	})
	return cmd
}

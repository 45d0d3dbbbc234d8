package main

import (
	"github.com/spf13/cobra"

	"leadbid/internal/cli"
	"leadbid/rules"
)

func schemaCommand(env *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a configuration, for editors",
		Long: "Prints the schema by which editors complete and check a configuration while you type. Keep it\n" +
			"beside the file and name it in the first line:\n\n" +
			"  bidder schema > bidder.schema.json\n" +
			"  # yaml-language-server: $schema=bidder.schema.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Stdout.Write(rules.Schema())
			return err
		},
	}
}

package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// Group is a heading in the help of the settings, and the settings below it.
type Group struct {
	Title string
	Flags *pflag.FlagSet
}

// groups says which settings stand below which heading: those that are named, and
// those whose names start with one of them and a dash. The last group takes the rest.
var groups = []struct {
	title    string
	prefixes []string
}{
	{"Orders API and services", []string{"api", "fraud", "inventory", "customers-db"}},
	{"E-mail", []string{"email", "smtp"}},
	{"Kafka", []string{"kafka"}},
	{"Schema Registry", []string{"schema-registry"}},
	{"ksqlDB", []string{"ksqldb"}},
	{"Connect", []string{"connect"}},
	{"Elasticsearch", []string{"elasticsearch"}},
	{"Certificates towards any of them", []string{"tls"}},
	{"This process", nil},
}

// Groups returns all settings under their headings, the general ones first.
func (l *Loader) Groups() []Group {
	result := make([]Group, len(groups))
	for i, g := range groups {
		result[i] = Group{Title: g.title, Flags: pflag.NewFlagSet(g.title, pflag.ContinueOnError)}
		result[i].Flags.SortFlags = false
	}
	for _, name := range l.names {
		result[groupOf(name)].Flags.AddFlag(l.flags.Lookup(name))
	}
	last := len(result) - 1
	return append(result[last:], result[:last]...)
}

func groupOf(name string) int {
	for i, g := range groups {
		for _, prefix := range g.prefixes {
			if name == prefix || strings.HasPrefix(name, prefix+"-") {
				return i
			}
		}
	}
	return len(groups) - 1
}

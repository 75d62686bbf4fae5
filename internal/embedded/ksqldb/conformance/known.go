package conformance

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Known are the cases that are known to fail, each with its reason.
type Known map[string]string

// LoadKnown reads a list of known failures: lines of a key, a tab and a reason.
// Empty lines and those that begin with # are left out.
func LoadKnown(path string) (Known, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return Known{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	known := Known{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, "\t")
		if !ok {
			return nil, fmt.Errorf("reading %s: line %d has no reason behind a tab", path, n)
		}
		known[key] = reason
	}
	return known, lines.Err()
}

// Save writes the list, sorted by key.
func (k Known) Save(path string) error {
	var b strings.Builder
	b.WriteString("# Cases that fail, by file|name|index, each with what is wrong.\n")
	for _, key := range slices.Sorted(maps.Keys(k)) {
		fmt.Fprintf(&b, "%s\t%s\n", key, k[key])
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// numbers are ids and times that differ from run to run.
var numbers = regexp.MustCompile(`\d{11,}`)

// Reason makes one line of an error.
func Reason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.TrimPrefix(numbers.ReplaceAllString(text, "…"), ": ")
	const most = 160
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

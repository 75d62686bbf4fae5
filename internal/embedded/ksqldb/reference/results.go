package reference

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed results.txt
var resultsText string

// Result says how many of a set of cases the engine passes, or of recorded
// answers it matches.
type Result struct {
	Area           string
	Matched, Total int
}

// Results are the counts that were committed last.
func Results() ([]Result, error) {
	var out []Result
	for line := range strings.Lines(resultsText) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var r Result
		area, counts, found := strings.Cut(line, ": ")
		if !found {
			return nil, fmt.Errorf("reading the committed results: %q has no count", line)
		}
		r.Area = area
		if _, err := fmt.Sscanf(counts, "%d of %d", &r.Matched, &r.Total); err != nil {
			return nil, fmt.Errorf("reading the committed results: %q: %w", line, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// CheckResult compares what a test has counted with what was committed. Counts of
// another set of cases, which has another total, are not compared.
func CheckResult(area string, matched, total int) error {
	results, err := Results()
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Area == area && r.Total == total && r.Matched != matched {
			return fmt.Errorf("comparing results: %s has %d of %d, internal/embedded/ksqldb/reference/results.txt says %d: "+
				"correct it and run go generate there", area, matched, total, r.Matched)
		}
	}
	return nil
}

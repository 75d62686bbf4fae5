package testrun

import (
	"fmt"
	"strings"
)

// The directives of a file, which are comments to everyone else.
const (
	directivePrefix  = "--@"
	testDirective    = "test"
	errorDirective   = "expected.error"
	messageDirective = "expected.message"
)

// test is one test of a file.
type test struct {
	name string
	// line is where its text begins, from 1.
	line int
	text string
	// fails says that a statement must fail, with message in the error's text.
	fails   bool
	message string
}

// parse divides a file into its tests.
func parse(text string) ([]test, error) {
	var tests []test
	names := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		directive, isDirective := strings.CutPrefix(strings.TrimSpace(line), directivePrefix)
		if isDirective {
			kind, value, found := strings.Cut(directive, ":")
			value = strings.TrimSpace(value)
			if !found || value == "" {
				return nil, fmt.Errorf("line %d: expected %s%s: and a text", i+1, directivePrefix, kind)
			}
			if kind == testDirective {
				if before, twice := names[value]; twice {
					return nil, fmt.Errorf("line %d: the test of line %d is also named %q", i+1, before, value)
				}
				names[value] = i + 1
				tests = append(tests, test{name: value, line: i + 1})
			} else if err := expect(tests, kind, value); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
		switch {
		case len(tests) > 0:
			tests[len(tests)-1].text += line + "\n"
		case !isBlank(line):
			return nil, fmt.Errorf("line %d: statements come after a line %s%s: name", i+1, directivePrefix, testDirective)
		}
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("there is no test: one begins with a line %s%s: name", directivePrefix, testDirective)
	}
	return tests, nil
}

// expect takes up what a directive says of the last test.
func expect(tests []test, kind, value string) error {
	if kind != errorDirective && kind != messageDirective {
		return fmt.Errorf("unknown directive %s%s: expected %s, %s or %s", directivePrefix, kind, testDirective, errorDirective, messageDirective)
	}
	if len(tests) == 0 {
		return fmt.Errorf("%s%s comes after a line %s%s: name", directivePrefix, kind, directivePrefix, testDirective)
	}
	last := &tests[len(tests)-1]
	last.fails = true
	if kind == messageDirective {
		last.message = strings.ReplaceAll(value, `\n`, "\n")
	}
	return nil
}

func isBlank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "--")
}

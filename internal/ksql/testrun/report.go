package testrun

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Print writes a line for each test, with what went wrong below it, and a line
// with the sums.
func Print(w io.Writer, results []Result) error {
	var text strings.Builder
	var took time.Duration
	skipped := ""
	for _, r := range results {
		took += r.Took
		word := "ok  "
		switch {
		case r.Err != nil:
			word = "FAIL"
		case r.Skipped != "":
			word = "skip"
		}
		fmt.Fprintf(&text, "%s %s:%d %s (%s)\n", word, r.File, r.Line, r.Name, r.Took.Round(time.Millisecond))
		if r.Err != nil {
			fmt.Fprintf(&text, "     %s\n", strings.ReplaceAll(strings.TrimSpace(r.Err.Error()), "\n", "\n     "))
		}
		if r.Skipped != "" {
			fmt.Fprintf(&text, "     %s\n", r.Skipped)
		}
	}
	if n := Skipped(results); n > 0 {
		skipped = fmt.Sprintf(", %d skipped", n)
	}
	fmt.Fprintf(&text, "%d tests, %d failed%s, %s\n", len(results), Failed(results), skipped, took.Round(time.Millisecond))
	_, err := io.WriteString(w, text.String())
	return err
}

// Failed counts the tests that failed.
func Failed(results []Result) int {
	failed := 0
	for _, r := range results {
		if r.Err != nil {
			failed++
		}
	}
	return failed
}

// Skipped counts the tests that could not be run.
func Skipped(results []Result) int {
	skipped := 0
	for _, r := range results {
		if r.Skipped != "" {
			skipped++
		}
	}
	return skipped
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`

	took time.Duration
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr"`
	Line      int           `xml:"line,attr"`
	Time      string        `xml:"time,attr"`
	Failure   *junitFailure `xml:"failure"`
	Skipped   *junitSkipped `xml:"skipped"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the results as the XML that CI systems read: a suite for
// each file, in the order of their first tests.
func WriteJUnit(w io.Writer, results []Result) error {
	var out junitSuites
	var took time.Duration
	for _, r := range results {
		at := slices.IndexFunc(out.Suites, func(s junitSuite) bool { return s.Name == r.File })
		if at < 0 {
			at = len(out.Suites)
			out.Suites = append(out.Suites, junitSuite{Name: r.File})
		}
		suite := &out.Suites[at]
		c := junitCase{Name: r.Name, ClassName: r.File, File: r.File, Line: r.Line, Time: seconds(r.Took)}
		if r.Err != nil {
			c.Failure = &junitFailure{Message: firstLine(r.Err), Type: "failure", Text: r.Err.Error()}
			suite.Failures++
			out.Failures++
		}
		if r.Skipped != "" {
			c.Skipped = &junitSkipped{r.Skipped}
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		suite.took += r.Took
		suite.Time = seconds(suite.took)
		out.Tests++
		took += r.Took
	}
	out.Time = seconds(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// firstLine says in one line what went wrong, without the statement.
func firstLine(err error) string {
	var failure *Failure
	if errors.As(err, &failure) {
		err = failure.Err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

package shell

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/ksql"
)

const (
	// minColumnWidth is that of ksqlDB's own shell.
	minColumnWidth = 5
	maxColumnWidth = 10_000
)

// layout says how wide columns are. Rows arrive one by one, so that it cannot
// follow from the values.
type layout struct {
	// width is how many characters a line of the terminal has; nil, or 0, means
	// that lines are as long as they need to be.
	width func() int
	// column is the width that was set for all columns; 0 means none.
	column int
	// wrap puts what does not fit on lines of its own; without it, it is cut off.
	wrap bool
}

// widths is how many characters a value of a type usually takes.
var widths = map[string]int{
	"BOOLEAN": 5, "INTEGER": 8, "BIGINT": 13, "DOUBLE": 10, "STRING": 16, "TIMESTAMP": 23, "DATE": 10, "TIME": 8,
}

// of gives the widths of columns; bounded means that longer values must not run
// over them.
func (l *layout) of(columns []ksql.Column) (column []int, bounded bool) {
	column = make([]int, len(columns))
	sum := 0
	for i, c := range columns {
		usual, ok := widths[c.Type]
		if !ok {
			usual = 16
		}
		column[i] = max(usual, utf8.RuneCountInString(c.Name), minColumnWidth)
		if l.column > 0 {
			column[i] = l.column
		}
		sum += column[i]
	}
	if l.column > 0 {
		return column, true
	}
	if l.width == nil || len(columns) == 0 {
		return column, false
	}
	have := l.width() - len(columns) - 1 // the frame
	if have <= 0 {
		return column, false
	}
	// What is left, or missing, is shared out in proportion.
	for i := range column {
		column[i] = max(minColumnWidth, column[i]*have/sum)
	}
	return column, true
}

// tablePrinter prints columns for people.
type tablePrinter struct {
	out    io.Writer
	layout *layout

	// of the query whose rows are printed
	widths  []int
	bounded bool
}

func (p *tablePrinter) header(columns []ksql.Column) error {
	p.widths, p.bounded = p.layout.of(columns)
	rule := "+"
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
		rule += strings.Repeat("-", p.widths[i]) + "+"
	}
	if err := p.line(rule); err != nil {
		return err
	}
	if err := p.cells(names); err != nil {
		return err
	}
	return p.line(rule)
}

func (p *tablePrinter) row(_ []ksql.Column, values []any) error {
	cells := make([]string, len(values))
	for i, value := range values {
		text, err := textOf(value)
		if err != nil {
			return err
		}
		cells[i] = text
	}
	return p.cells(cells)
}

// cells prints one row, on as many lines as it needs.
func (p *tablePrinter) cells(cells []string) error {
	for more := true; more; {
		more = false
		line := "|"
		for i, cell := range cells {
			head, rest := p.split(cell, p.widths[i])
			cells[i] = rest
			more = more || rest != ""
			line += pad(head, p.widths[i]) + "|"
		}
		if err := p.line(line); err != nil {
			return err
		}
	}
	return nil
}

// split cuts what fits into a column off a value.
func (p *tablePrinter) split(cell string, width int) (head, rest string) {
	if !p.bounded || utf8.RuneCountInString(cell) <= width {
		return cell, ""
	}
	runes := []rune(cell)
	if !p.layout.wrap {
		return string(runes[:width-3]) + "...", ""
	}
	return string(runes[:width]), string(runes[width:])
}

func (p *tablePrinter) line(lines ...string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(p.out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// table prints rows that are all known, in columns of the right width. The first
// row has the headings.
func (p *tablePrinter) table(table [][]string) error {
	width := make([]int, len(table[0]))
	for _, cells := range table {
		for i, cell := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, cells := range table {
		padded := make([]string, len(cells))
		for i, cell := range cells {
			padded[i] = pad(cell, width[i])
		}
		if err := p.line(" " + strings.Join(padded, " | ")); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		rules := make([]string, len(width))
		for i, w := range width {
			rules[i] = strings.Repeat("-", w)
		}
		if err := p.line("-" + strings.Join(rules, "-+-") + "-"); err != nil {
			return err
		}
	}
	return nil
}

package shell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/ksql"
)

// printer shows what a server answered.
type printer interface {
	header(columns []ksql.Column) error
	row(columns []ksql.Column, values []any) error
	entity(entity ksql.Entity) error
}

// jsonPrinter prints an object a line.
type jsonPrinter struct{ out io.Writer }

func (p jsonPrinter) header([]ksql.Column) error { return nil }

func (p jsonPrinter) row(columns []ksql.Column, values []any) error {
	var line bytes.Buffer
	line.WriteByte('{')
	for i, column := range columns {
		if i > 0 {
			line.WriteByte(',')
		}
		name, err := encode(column.Name)
		if err != nil {
			return err
		}
		value, err := encode(values[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(&line, "%s:%s", name, value)
	}
	line.WriteString("}\n")
	_, err := p.out.Write(line.Bytes())
	return err
}

func (p jsonPrinter) entity(entity ksql.Entity) error {
	var line bytes.Buffer
	if err := json.Compact(&line, entity.Raw); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err := p.out.Write(line.Bytes())
	return err
}

// verticalPrinter prints a line for each column of a row. Entities are as in tables.
type verticalPrinter struct {
	tablePrinter
	rows int
}

func (p *verticalPrinter) header([]ksql.Column) error {
	p.rows = 0
	return nil
}

func (p *verticalPrinter) row(columns []ksql.Column, values []any) error {
	p.rows++
	if err := p.line(fmt.Sprintf("-[ row %d ]-", p.rows)); err != nil {
		return err
	}
	width := 0
	for _, column := range columns {
		width = max(width, utf8.RuneCountInString(column.Name))
	}
	for i, column := range columns {
		text, err := textOf(values[i])
		if err != nil {
			return err
		}
		if err := p.line(pad(column.Name, width) + " : " + text); err != nil {
			return err
		}
	}
	return nil
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func textOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "null", nil
	case string:
		return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v), nil
	}
	encoded, err := encode(value)
	return string(encoded), err
}

func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

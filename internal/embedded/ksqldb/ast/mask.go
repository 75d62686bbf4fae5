package ast

import "strings"

// Mask returns the text under which a statement may be shown and logged: the
// values of INSERT VALUES and the settings of connectors, which may be secret, are
// replaced. It is what ksqlDB shows in the errors of such statements. All others
// keep their own text.
func Mask(s Statement) string {
	switch s := s.(type) {
	case *InsertValues:
		return maskValues(s)
	case *CreateConnector:
		return maskConnector(s)
	}
	return s.Text()
}

func maskValues(s *InsertValues) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + BackQuote(s.Target.Name))
	if len(s.Columns) > 0 {
		names := make([]string, len(s.Columns))
		for i, c := range s.Columns {
			names[i] = BackQuote(c.Name)
		}
		b.WriteString(" (" + strings.Join(names, ", ") + ")")
	}
	values := make([]string, len(s.Values))
	for i := range values {
		values[i] = "'[value]'"
	}
	b.WriteString(" VALUES (" + strings.Join(values, ", ") + ");")
	return b.String()
}

func maskConnector(s *CreateConnector) string {
	f := &formatter{}
	f.add("CREATE ", connectorWords[s.Kind], "CONNECTOR ")
	f.flag(s.IfNotExists, "IF NOT EXISTS ")
	f.add(QuoteName(s.Name.Name), " WITH (")
	for i, p := range s.With {
		f.comma(i)
		if strings.EqualFold(p.Name, "connector.class") {
			f.property(p)
			continue
		}
		f.property(&Property{Name: p.Name, Value: &StringLiteral{Value: "[string]"}})
	}
	f.add(");")
	return f.out.String()
}

package email

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
)

//go:embed templates
var builtIn embed.FS

// The files of which an e-mail is made, Go templates over Data.
const (
	SubjectFile = "subject.txt"
	TextFile    = "body.txt"
	HTMLFile    = "body.html"
)

var templateFiles = []string{SubjectFile, TextFile, HTMLFile}

// Data is what a template can show. Texts that are not known are empty, numbers 0.
type Data struct {
	OrderID   string
	PaymentID string
	Product   string
	Quantity  int32
	// Price is per unit, in the shop's currency.
	Price float64
	// Amount is what was paid, in Currency, an ISO 4217 code.
	Amount   float64
	Currency string
	// Name is the first and the last name.
	Name      string
	FirstName string
	LastName  string
	Address   string
	// Level is platinum, gold, silver or bronze.
	Level string
}

// Templates makes subject, text and HTML of an e-mail. It is safe for concurrent use.
type Templates struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

// LoadTemplates reads the templates. Those that dir has stand in for the built-in
// ones of the same name; an empty dir has none. Besides what Go's templates know they
// can call money, which writes a number with two decimals. A file that dir has under
// another name, and a template that fails on an ordinary e-mail, is an error.
func LoadTemplates(dir string) (*Templates, error) {
	sources, err := readTemplates(dir)
	if err != nil {
		return nil, fmt.Errorf("loading the e-mail templates: %w", err)
	}
	funcs := map[string]any{"money": func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }}
	t := &Templates{}
	if t.subject, err = texttemplate.New(SubjectFile).Funcs(funcs).Parse(sources[SubjectFile]); err == nil {
		t.text, err = texttemplate.New(TextFile).Funcs(funcs).Parse(sources[TextFile])
	}
	if err == nil {
		t.html, err = htmltemplate.New(HTMLFile).Funcs(funcs).Parse(sources[HTMLFile])
	}
	if err == nil {
		_, err = t.render(Data{
			OrderID: "o-1", PaymentID: "p-1", Product: "JUMPERS", Quantity: 1, Price: 1, Amount: 1, Currency: "EUR",
			Name: "Ann Able", FirstName: "Ann", LastName: "Able", Address: "1 Main St", Level: "gold",
		})
	}
	if err != nil {
		return nil, fmt.Errorf("loading the e-mail templates: %w", err)
	}
	return t, nil
}

func readTemplates(dir string) (map[string]string, error) {
	sources := map[string]string{}
	for _, name := range templateFiles {
		data, err := builtIn.ReadFile("templates/" + name)
		if err != nil {
			return nil, err
		}
		sources[name] = string(data)
	}
	if dir == "" {
		return sources, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !slices.Contains(templateFiles, e.Name()) {
			return nil, fmt.Errorf("%s is no template: the names are %s", filepath.Join(dir, e.Name()), strings.Join(templateFiles, ", "))
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		sources[e.Name()] = string(data)
	}
	return sources, nil
}

// WriteTemplates copies the built-in templates into dir, to be edited there. Files
// that exist are left alone, and the names of those written are returned.
func WriteTemplates(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("writing the e-mail templates: %w", err)
	}
	var written []string
	for _, name := range templateFiles {
		data, err := builtIn.ReadFile("templates/" + name)
		if err != nil {
			return written, fmt.Errorf("writing the e-mail templates: %w", err)
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			_, err = f.Write(data)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return written, fmt.Errorf("writing the e-mail templates: %w", err)
		}
		written = append(written, name)
	}
	return written, nil
}

// content is what the templates make.
type content struct{ subject, text, html string }

func (t *Templates) render(d Data) (content, error) {
	run := func(tmpl interface {
		Execute(io.Writer, any) error
	},
	) (string, error) {
		var b bytes.Buffer
		err := tmpl.Execute(&b, d)
		return b.String(), err
	}
	var c content
	var err error
	if c.subject, err = run(t.subject); err != nil {
		return c, err
	}
	// A header is one line, whatever an order's id holds.
	c.subject = strings.Join(strings.Fields(c.subject), " ")
	if c.text, err = run(t.text); err != nil {
		return c, err
	}
	c.html, err = run(t.html)
	return c, err
}

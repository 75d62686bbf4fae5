package protobufschema

// file is one .proto file. The order of its declarations is kept by kind.
type file struct {
	syntax        string // proto2, proto3, or empty when the file doesn't say
	hasPackage    bool
	pkg           string
	imports       []string
	publicImports []string
	options       []option
	types         []typeDecl
	extends       []extend
	services      []service
}

// typeDecl is a message or an enum: exactly one of them is set.
type typeDecl struct {
	message *message
	enum    *enum
}

func (t typeDecl) name() string {
	if t.message != nil {
		return t.message.name
	}
	return t.enum.name
}

type message struct {
	name       string
	options    []option
	reserved   [][]any // int, string or span
	fields     []field
	oneofs     []oneof
	groups     []group
	extensions []extensions
	extends    []extend
	types      []typeDecl
}

// span is a range of numbers, both ends included.
type span struct{ from, to int }

// maxTag is the highest number of a field.
const maxTag = 1<<29 - 1

type field struct {
	label        string // required, optional, repeated or empty
	typ          string
	name         string
	number       int
	defaultValue *string
	jsonName     *string
	options      []option
}

type oneof struct {
	name    string
	options []option
	fields  []field
	groups  []group
}

type group struct {
	label  string
	name   string
	number int
	fields []field
}

type extensions struct {
	values  []any // int or span
	options []option
}

type extend struct {
	name   string
	fields []field
}

type enum struct {
	name      string
	options   []option
	reserved  [][]any
	constants []constant
}

type constant struct {
	name    string
	number  int
	options []option
}

type service struct {
	name    string
	options []option
	rpcs    []rpc
}

type rpc struct {
	name              string
	request, response string
	streamsRequest    bool
	streamsResponse   bool
	options           []option
}

// option is a named value: a string, word, *table, []any or another option,
// which stands for a member of the named one.
type option struct {
	name          string
	parenthesized bool
	value         any
}

// word is a value without quotes: a number, a boolean or an enum's constant.
type word struct {
	text   string
	number bool
}

// table is a value with members, in the order in which they came.
type table struct {
	keys   []string
	values map[string]any
}

func newTable() *table { return &table{values: map[string]any{}} }

func (t *table) set(key string, v any) {
	if _, ok := t.values[key]; !ok {
		t.keys = append(t.keys, key)
	}
	t.values[key] = v
}

// mapTypes gives the types of a map's keys and values.
func mapTypes(typ string) (key, value string, ok bool) {
	inner, ok := cutAround(typ, "map<", ">")
	if !ok {
		return "", "", false
	}
	for i := range inner {
		if inner[i] == ',' {
			return inner[:i], inner[i+2:], true
		}
	}
	return "", "", false
}

func cutAround(s, prefix, suffix string) (string, bool) {
	if len(s) < len(prefix)+len(suffix) || s[:len(prefix)] != prefix || s[len(s)-len(suffix):] != suffix {
		return "", false
	}
	return s[len(prefix) : len(s)-len(suffix)], true
}

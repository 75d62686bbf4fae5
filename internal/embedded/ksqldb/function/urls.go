package function

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// uri is a URI cut up as Java's java.net.URI does (RFC 2396): parts that are not
// there are nil.
type uri struct {
	scheme, host, path, query, fragment *string
	port                                int
}

var (
	uriPattern       = regexp.MustCompile(`^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$`)
	authorityPattern = regexp.MustCompile(`^(?:[^@]*@)?((?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9.])?)|\[[0-9A-Fa-f:.]+\])(?::([0-9]*))?$`)
	illegalInURI     = regexp.MustCompile("[\\x00-\\x20\"<>\\\\^`{|}\\x7f]|%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)")
)

func parseURI(s string) (*uri, error) {
	m := uriPattern.FindStringSubmatchIndex(s)
	if m == nil || illegalInURI.MatchString(s) {
		return nil, fmt.Errorf("URL input has invalid syntax: %s", s)
	}
	part := func(i int) *string {
		if m[2*i] < 0 {
			return nil
		}
		p := s[m[2*i]:m[2*i+1]]
		return &p
	}
	u := &uri{scheme: part(1), path: part(3), query: part(4), fragment: part(5), port: -1}
	if authority := part(2); authority != nil {
		if h := authorityPattern.FindStringSubmatch(*authority); h != nil {
			u.host = &h[1]
			if p, err := strconv.Atoi(h[2]); err == nil {
				u.port = p
			}
		}
	} else if u.scheme != nil && !strings.HasPrefix(*u.path, "/") {
		// mailto:a@b and the like have neither path nor query.
		if *u.path == "" {
			return nil, fmt.Errorf("URL input has invalid syntax: %s", s)
		}
		u.path, u.query = nil, nil
	}
	for _, p := range []**string{&u.path, &u.query, &u.fragment} {
		if *p == nil {
			continue
		}
		decoded, err := url.PathUnescape(**p)
		if err != nil {
			return nil, fmt.Errorf("URL input has invalid syntax: %s: %w", s, err)
		}
		decoded = fromUTF8([]byte(decoded))
		*p = &decoded
	}
	return u, nil
}

func urlFunctions() []scalarDef {
	part := func(name, description string, get func(u *uri) *string) scalarDef {
		return scalarDef{name, CategoryURL, description, []overloadDef{{params: "VARCHAR input", result: "VARCHAR", impl: f1(func(v types.Value) (types.Value, error) {
			u, err := parseURI(v.Str())
			if err != nil || get(u) == nil {
				return types.Null, err
			}
			return text(*get(u))
		})}}}
	}
	return []scalarDef{
		part("url_extract_protocol", "The protocol of a URL.", func(u *uri) *string { return u.scheme }),
		part("url_extract_host", "The host of a URL.", func(u *uri) *string { return u.host }),
		part("url_extract_path", "The path of a URL, decoded.", func(u *uri) *string { return u.path }),
		part("url_extract_query", "The query of a URL, decoded.", func(u *uri) *string { return u.query }),
		part("url_extract_fragment", "The fragment of a URL, decoded.", func(u *uri) *string { return u.fragment }),
		{"url_extract_port", CategoryURL, "The port of a URL.", []overloadDef{{params: "VARCHAR input", result: "INT", impl: f1(func(v types.Value) (types.Value, error) {
			u, err := parseURI(v.Str())
			if err != nil || u.port < 0 {
				return types.Null, err
			}
			return types.IntValue(int64(u.port)), nil
		})}}},
		{"url_extract_parameter", CategoryURL, "The value of a parameter in the query of a URL.", []overloadDef{
			{params: "VARCHAR input, VARCHAR paramToFind", result: "VARCHAR", impl: f2(urlParameter)},
		}},
		{"url_encode_param", CategoryURL, "A text encoded for use in a URL.", []overloadDef{{params: "VARCHAR input", result: "VARCHAR", impl: onText(encodeParam)}}},
		{"url_decode_param", CategoryURL, "A text decoded from its use in a URL.", []overloadDef{{params: "VARCHAR input", result: "VARCHAR", impl: f1(func(v types.Value) (types.Value, error) {
			s, err := url.QueryUnescape(v.Str())
			return types.StringValue(fromUTF8([]byte(s))), err
		})}}},
	}
}

func urlParameter(in, name types.Value) (types.Value, error) {
	u, err := parseURI(in.Str())
	if err != nil || u.query == nil {
		return types.Null, err
	}
	for _, p := range strings.Split(*u.query, "&") {
		if key, value, _ := strings.Cut(p, "="); key == name.Str() {
			return text(value)
		}
	}
	return types.Null, nil
}

func encodeParam(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.*", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

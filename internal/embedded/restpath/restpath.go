// Package restpath takes the paths of Confluent's REST interfaces apart: names in them are
// escaped, may hold slashes, and a slash at the end changes nothing.
package restpath

import (
	"net/url"
	"strings"
)

// Segments splits the path of a URL into unescaped segments. The error is that of
// url.PathUnescape.
func Segments(u *url.URL) ([]string, error) {
	path := strings.TrimSuffix(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	var list []string
	for segment := range strings.SplitSeq(path, "/") {
		text, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}

// Match gives the segments that stand for a "*" of a pattern such as "subjects/*/versions",
// and whether the pattern fits. A "*" stands for one segment that is not empty.
func Match(pattern string, segments []string) ([]string, bool) {
	parts := strings.Split(pattern, "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	var vars []string
	for i, p := range parts {
		switch {
		case p == "*":
			if segments[i] == "" {
				return nil, false
			}
			vars = append(vars, segments[i])
		case p != segments[i]:
			return nil, false
		}
	}
	return vars, true
}

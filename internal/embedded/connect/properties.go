package connect

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// readProperties reads Java properties.
func readProperties(raw []byte) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) {
			line = line[:len(line)-1]
			if !lines.Scan() {
				break
			}
			line += strings.TrimLeft(lines.Text(), " \t\f")
		}
		key, value := splitProperty(line)
		values[key] = value
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading properties: %w", err)
	}
	return values, nil
}

// continued reports whether a line ends with a backslash that is not escaped.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty splits a line at the first =, : or white space that is not escaped.
func splitProperty(line string) (key, value string) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	return unescapeProperty(line[:end]), unescapeProperty(rest)
}

var propertyEscapes = map[byte]byte{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f'}

func unescapeProperty(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		if text[i] == 'u' && i+4 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+5], 16, 16); err == nil {
				out.WriteRune(rune(code))
				i += 4
				continue
			}
		}
		if c, ok := propertyEscapes[text[i]]; ok {
			out.WriteByte(c)
		} else {
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

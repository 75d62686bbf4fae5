package bench

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWireReadsBothFormsOfAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		status int
		body   string
		err    string
	}{
		"length":            {"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200, "abc", ""},
		"parts":             {"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n", 400, "ab0123456789", ""},
		"nothing":           {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""},
		"no answer":         {"what?\r\n\r\n", 0, "", "is not how an answer begins"},
		"no status":         {"HTTP/1.1 abc\r\n\r\n", 0, "", "reading the status"},
		"no length":         {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 0, "", "reading the length"},
		"part without size": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0, "", "reading the length of a part"},
		"too long":          {"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", 0, "", "longer than any"},
		"cut off":           {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 0, "", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			go func() {
				defer there.Close()
				request, err := http.ReadRequest(bufio.NewReader(there))
				if !assert.NoError(t, err) || !assert.Equal(t, int64(4), request.ContentLength) {
					return
				}
				body, err := io.ReadAll(request.Body)
				assert.NoError(t, err)
				assert.Equal(t, "body", string(body))
				_, err = there.Write([]byte(test.answer))
				assert.NoError(t, err)
			}()
			w := &wire{conn: here, in: bufio.NewReader(here)}
			status, body, err := w.post("POST / HTTP/1.1\r\nHost: x\r\n", "body")
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.body, string(body))
		})
	}
}

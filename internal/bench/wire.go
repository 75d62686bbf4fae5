package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// wire is a connection that speaks as much HTTP/1.1 as a load generator needs. It
// costs a fraction of what net/http does, so that the server is measured and not
// its client.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func dial(ctx context.Context, host string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("connecting to ksqlDB: %w", err)
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

func (w *wire) close() { _ = w.conn.Close() }

// post sends a request of the given head, to which the length of the body is added,
// and gives the answer, which is valid until the next call.
func (w *wire) post(head, body string) (status int, answer []byte, err error) {
	w.out = append(append(w.out[:0], head...), "Content-Length: "...)
	w.out = strconv.AppendInt(w.out, int64(len(body)), 10)
	w.out = append(append(w.out, "\r\n\r\n"...), body...)
	if _, err := w.conn.Write(w.out); err != nil {
		return 0, nil, err
	}
	line, err := w.line()
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || string(line[:5]) != "HTTP/" {
		return 0, nil, fmt.Errorf("%q is not how an answer begins", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("reading the status of an answer: %w", err)
	}
	length, chunked := 0, false
	for {
		line, err := w.line()
		if err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == 14 && strings.EqualFold(string(name), "Content-Length"):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, fmt.Errorf("reading the length of an answer: %w", err)
			}
		case len(name) == 17 && strings.EqualFold(string(name), "Transfer-Encoding"):
			chunked = true
		}
	}
	w.body = w.body[:0]
	if !chunked {
		err = w.take(length)
		return status, w.body, err
	}
	for {
		line, err := w.line()
		if err != nil {
			return 0, nil, err
		}
		size, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil {
			return 0, nil, fmt.Errorf("reading the length of a part of an answer: %w", err)
		}
		if err := w.take(int(size)); err != nil {
			return 0, nil, err
		}
		if _, err := w.line(); err != nil {
			return 0, nil, err
		}
		if size == 0 {
			return status, w.body, nil
		}
	}
}

// maxAnswer bounds what is taken for an answer.
const maxAnswer = 16 << 20

func (w *wire) take(n int) error {
	if n < 0 || len(w.body)+n > maxAnswer {
		return errors.New("the answer is longer than any that was asked for")
	}
	at := len(w.body)
	w.body = append(w.body, make([]byte, n)...)
	_, err := io.ReadFull(w.in, w.body[at:])
	return err
}

func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func contains(answer []byte, text string) bool { return bytes.Contains(answer, []byte(text)) }

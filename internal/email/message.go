package email

import (
	"bytes"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// encodeMessage writes e as an Internet message (RFC 5322) whose body is the text and
// the HTML as alternatives (RFC 2046).
func encodeMessage(e Email, from *mail.Address, date time.Time) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	// Nothing that quoted-printable writes contains it: there = is followed by two digits or a line's end.
	if err := parts.SetBoundary("=_" + strings.Trim(strings.TrimSuffix(e.MessageID, "@orderflow>"), "<>")); err != nil {
		return nil, fmt.Errorf("composing e-mail %s: %w", e.MessageID, err)
	}
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", (&mail.Address{Address: e.To}).String()},
		{"Subject", encodeHeader(e.Subject)},
		{"Date", date.Format(time.RFC1123Z)},
		{"Message-ID", e.MessageID},
		{"MIME-Version", "1.0"},
		// Automatic answers to it are not wanted (RFC 3834).
		{"Auto-Submitted", "auto-generated"},
		{"Content-Type", mime.FormatMediaType("multipart/alternative", map[string]string{"boundary": parts.Boundary()})},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	for _, alternative := range [][2]string{{"text/plain", e.Text}, {"text/html", e.HTML}} {
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {alternative[0] + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err == nil {
			body := quotedprintable.NewWriter(part)
			if _, err = body.Write([]byte(alternative[1])); err == nil {
				err = body.Close()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("composing e-mail %s: %w", e.MessageID, err)
		}
	}
	if err := parts.Close(); err != nil {
		return nil, fmt.Errorf("composing e-mail %s: %w", e.MessageID, err)
	}
	return b.Bytes(), nil
}

// encodeHeader encodes what is not ASCII (RFC 2047), a line for each encoded word.
func encodeHeader(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}

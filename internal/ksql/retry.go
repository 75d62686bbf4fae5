package ksql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Retry says how often a call that changes nothing on the server is tried
// when its connection is lost or its answer has a status of 500 or more:
// queries until their columns came, statements that only ask (SHOW, LIST,
// DESCRIBE, EXPLAIN), the state of the server and of commands, and the end of a
// query. Other statements are sent once, since a lost answer does not say
// whether the server carried them out.
type Retry struct {
	// Attempts is how often it is tried in all. 0 means 3, 1 means once.
	Attempts int
	// Pause is the time before the second attempt; it doubles from then on, up
	// to MaxPause, and is shortened by up to a half at random. 0 means 100 ms
	// and 2 s.
	Pause, MaxPause time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 3
	}
	if r.Pause == 0 {
		r.Pause = 100 * time.Millisecond
	}
	if r.MaxPause == 0 {
		r.MaxPause = 2 * time.Second
	}
	return r
}

// ConnectionError says that the server could not be reached, or that the
// connection was lost before its answer had come.
type ConnectionError struct {
	// URL is the server's address.
	URL string
	// Doing says what was tried, such as "reaching".
	Doing string
	Err   error
}

func (e *ConnectionError) Error() string {
	return fmt.Sprintf("%s ksqlDB at %s: %v (is it running there?)", e.Doing, e.URL, e.Err)
}

// Unwrap returns the error of the connection.
func (e *ConnectionError) Unwrap() error { return e.Err }

// retrying calls f, which changes nothing on the server, until it succeeds, no
// attempt is left, or ctx ends.
func (c *Client) retrying(ctx context.Context, f func() error) error {
	pause := c.retry.Pause
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || attempt >= c.retry.Attempts || !IsTransient(err) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause = min(2*pause, c.retry.MaxPause)
	}
}

// IsTransient reports whether err may not come again: the connection was lost, or
// the answer had a status of 500 or more. It says nothing about whether the
// server carried the call out.
func IsTransient(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.HTTPStatus >= http.StatusInternalServerError
	}
	var lost *ConnectionError
	if !errors.As(err, &lost) {
		return false
	}
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate)
}

// asksOnly reports whether all statements of a text only ask.
func asksOnly(sql string) bool {
	statements, err := Split(sql)
	if err != nil {
		return false
	}
	for _, statement := range statements {
		switch Keyword(statement.Text) {
		case "SHOW", "LIST", "DESCRIBE", "EXPLAIN":
		default:
			return false
		}
	}
	return true
}

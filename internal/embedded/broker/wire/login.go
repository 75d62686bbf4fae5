package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/login"
)

const (
	// maxLoginFrame bounds requests of clients that haven't proven who they are.
	maxLoginFrame = 64 << 10
	// refusalDelay is Kafka's connection.failed.authentication.delay.ms: guessing
	// takes its time.
	refusalDelay = 100 * time.Millisecond
)

// session is how far a client's login has come.
type session struct {
	server       *login.Server // nil when nobody is asked
	conversation *login.Conversation
	within       time.Time // until when the client has to have proven who it is
	bare         bool      // messages of the login come as they are, and are no requests
	done         bool
	refused      error // the connection ends after the answer
}

// pending says that the client still has to prove who it is.
func (s *session) pending() bool { return s.server != nil && !s.done }

// allows reports whether a request is answered at this moment.
func (s *session) allows(key int16) bool {
	switch kmsg.Key(key) {
	case kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate:
		return true
	default:
		return !s.pending()
	}
}

// handshake answers SaslHandshake: which mechanisms there are.
func (s *Server) handshake(_ context.Context, from *Client, req kmsg.Request) (kmsg.Response, error) {
	q, ok := req.(*kmsg.SASLHandshakeRequest)
	if !ok {
		return nil, errors.New("the request is of another kind than its key says")
	}
	resp := q.ResponseKind().(*kmsg.SASLHandshakeResponse)
	session := &from.session
	if !session.pending() || session.conversation != nil {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		return resp, nil
	}
	resp.SupportedMechanisms = session.server.Mechanisms()
	conversation, offered := session.server.Begin(q.Mechanism)
	if !offered {
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		session.refused = errors.New("it asked for a SASL mechanism that is not offered")
		return resp, nil
	}
	session.conversation = conversation
	session.bare = q.Version == 0
	return resp, nil
}

// authenticate answers SaslAuthenticate: a client's step of the conversation.
// Sessions have no end, so nobody has to log in again.
func (s *Server) authenticate(ctx context.Context, from *Client, req kmsg.Request) (kmsg.Response, error) {
	q, ok := req.(*kmsg.SASLAuthenticateRequest)
	if !ok {
		return nil, errors.New("the request is of another kind than its key says")
	}
	resp := q.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	session := &from.session
	if !session.pending() || session.conversation == nil {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		resp.ErrorMessage = kmsg.StringPtr("SaslAuthenticate came without a SaslHandshake before it, or after the login.")
		return resp, nil
	}
	mechanism := session.conversation.Mechanism()
	resp.SASLAuthBytes = from.step(ctx, q.SASLAuthBytes)
	if session.refused != nil {
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		resp.ErrorMessage = kmsg.StringPtr("Authentication failed during authentication due to invalid credentials with SASL mechanism " + mechanism)
	}
	return resp, nil
}

// step takes a message of the login and gives the answer to it. When the client is
// refused the session says so.
func (c *Client) step(ctx context.Context, message []byte) []byte {
	s := &c.session
	answer, done, err := s.conversation.Step(message)
	if err != nil {
		s.refused = fmt.Errorf("a login with %s failed: %w", s.conversation.Mechanism(), err)
		wait := time.NewTimer(refusalDelay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		return nil
	}
	if done {
		c.User = s.conversation.User()
		s.done, s.bare, s.conversation = true, false, nil
	}
	return answer
}

// bareLogin answers a message of a login that is no request, which follows a
// handshake of version 0.
func (c *connection) bareLogin() error {
	answer := c.client.step(c.server.ctx, c.frame)
	if c.client.session.refused != nil {
		return nil // the connection ends, which says it
	}
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(answer)))
	c.out = append(c.out, answer...)
	return c.flush()
}

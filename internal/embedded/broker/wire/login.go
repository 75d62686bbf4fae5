package wire

import (
	"context"
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
	answer, done, err := session.conversation.Step(q.SASLAuthBytes)
	if err != nil {
		mechanism := session.conversation.Mechanism()
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		resp.ErrorMessage = kmsg.StringPtr("Authentication failed during authentication due to invalid credentials with SASL mechanism " + mechanism)
		session.refused = fmt.Errorf("a login with %s failed: %w", mechanism, err)
		wait := time.NewTimer(refusalDelay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		return resp, nil
	}
	resp.SASLAuthBytes = answer
	if done {
		session.done, from.User = true, session.conversation.User()
		session.conversation = nil
	}
	return resp, nil
}

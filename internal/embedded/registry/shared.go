package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// lookInterval is how long what another instance has written may stay unseen.
	lookInterval = time.Second
	// lookTimeout bounds how long a read waits for a look at the topic.
	lookTimeout = time.Second
)

// look takes into the state what others have written, unless that was done a
// moment ago or urgent is set. Reading goes on with what is known when the topic
// can't be looked at.
func (r *Registry) look(ctx context.Context, urgent bool) {
	r.mu.RLock()
	due := r.state != nil && (urgent || r.cfg.Now().Sub(r.looked) >= lookInterval)
	r.mu.RUnlock()
	if !due {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil || !urgent && r.cfg.Now().Sub(r.looked) < lookInterval {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := r.catchUp(ctx); err != nil {
		r.cfg.Logger.Debug("schema registry: looking for what others wrote", "error", err)
	}
	r.looked = r.cfg.Now()
}

// catchUp takes what others have written into the state, with the lock held.
func (r *Registry) catchUp(ctx context.Context) error {
	if r.stale {
		fresh := newState()
		next, err := r.topic.read(ctx, 0, fresh.apply)
		if err != nil {
			return err
		}
		r.state, r.next, r.stale = fresh, next, false
		return nil
	}
	end, err := r.topic.end(ctx)
	switch {
	case err != nil:
		return err
	case end < r.next:
		return fmt.Errorf("topic %s ends at offset %d and was read up to %d: it was made anew or has lost records; restart the registry", r.topic.name, end, r.next)
	case end == r.next:
		return nil
	}
	// Half of what is new would be taken twice after a failure.
	r.stale = true
	next, err := r.topic.read(ctx, r.next, r.state.apply)
	if err != nil {
		return err
	}
	r.next, r.stale = next, false
	if !r.shared {
		r.shared = true
		r.cfg.Logger.Warn("schema registry: another instance writes the schemas topic, too", "topic", r.topic.name)
	}
	return nil
}

// missing reports whether an answer says that something is not there.
func missing(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.status == http.StatusNotFound
}

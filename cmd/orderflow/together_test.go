package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A record that was sent and not answered keeps its producer until Kafka is back.
func TestServicesEndInTimeAlsoWhenAPartDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := make(chan struct{})
		defer close(back)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		err := together(ctx, 10*time.Second, func(context.Context) error { <-back; return nil })
		require.ErrorContains(t, err, "--shutdown-timeout")
		assert.LessOrEqual(t, time.Since(began), 10*time.Second)
	})
}

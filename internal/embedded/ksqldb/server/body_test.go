package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deadlines is a ResponseWriter that notes the deadlines set for reading.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// A client that doesn't send its body to the end is given up, one that has sent it
// waits for its rows as long as it likes.
func TestABodyHasToArriveInTime(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	_, failed := readBody(w, httptest.NewRequestWithContext(t.Context(), "POST", "/query", strings.NewReader(`{"ksql":"x"}`)), "x")
	require.Nil(t, failed)
	require.Len(t, w.set, 2)
	assert.WithinDuration(t, time.Now().Add(bodyTimeout), w.set[0], bodyTimeout/2)
	assert.True(t, w.set[1].IsZero())
	_, failed = readBody(w, httptest.NewRequestWithContext(t.Context(), "POST", "/query", strings.NewReader(strings.Repeat(" ", maxBody+1))), "x")
	require.NotNil(t, failed)
	assert.Equal(t, 41300, failed.Code)
	require.Len(t, w.set, 3, "what is left of it has to arrive in time, too")
	assert.False(t, w.set[2].IsZero())
}

package group_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/group"
	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
)

func TestAGroupHasOnlySoManyMembers(t *testing.T) {
	fs := disk.NewMemory()
	require.NoError(t, fs.MkdirAll("data"))
	j, err := journal.Open(journal.Config{FS: fs, Path: "data/groups", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	c, err := group.New(group.Config{
		Journal: j, HasPartition: func(string, int32) bool { return true }, MinSession: time.Second, MaxSession: time.Hour,
		MaxMembers: 2, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	assert.Equal(t, kerr.MemberIDRequired.Code, join(c, "", "").ErrorCode)
	assert.Equal(t, kerr.MemberIDRequired.Code, join(c, "", "").ErrorCode)
	assert.Equal(t, kerr.GroupMaxSizeReached.Code, join(c, "", "").ErrorCode, "those that were promised a place count, too")
	assert.Equal(t, kerr.GroupMaxSizeReached.Code, join(c, "", "static").ErrorCode)
}

func TestWhatAMemberSaysIsBounded(t *testing.T) {
	fs := disk.NewMemory()
	c := open(t, fs)
	assert.Equal(t, kerr.InvalidRequest.Code, join(c, "", "", strings.Repeat("x", 2<<20)).ErrorCode)
	protocols := make([]string, 101)
	for i := range protocols {
		protocols[i] = strings.Repeat("p", i+1)
	}
	assert.Equal(t, kerr.InvalidRequest.Code, join(c, "", "", protocols...).ErrorCode)
	assert.Equal(t, kerr.MemberIDRequired.Code, join(c, "", "", protocols[:100]...).ErrorCode)
}

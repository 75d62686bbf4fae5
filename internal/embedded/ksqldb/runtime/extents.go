package runtime

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// extents asks where source topics begin and where their committed records end.
func (r *Runtime) extents(ctx context.Context, topics []string) (starts, ends kadm.ListedOffsets, err error) {
	if starts, err = r.admin.ListStartOffsets(ctx, topics...); err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("asking where source topics begin: %w", err)
	}
	if ends, err = r.admin.ListCommittedOffsets(ctx, topics...); err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("asking where source topics end: %w", err)
	}
	return starts, ends, nil
}

package connectors

import (
	"context"
	"log/slog"
	"time"
)

const (
	tendInterval = 5 * time.Second
	// maxTendPause is the longest that a connector that fails again and again is left alone.
	maxTendPause = 5 * time.Minute
)

// Tend restarts what fails of connectors, until ctx ends: a task gives up when what it
// writes to is away for some minutes, such as Elasticsearch on a full disk, and nothing
// else would start it again. What fails again is restarted after pauses that grow.
// Connectors that are paused or stopped stay so.
func (c *Client) Tend(ctx context.Context, names []string, log *slog.Logger) {
	type rest struct {
		pause time.Duration
		until time.Time
	}
	rests := map[string]rest{}
	tick := time.NewTicker(tendInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, name := range names {
			status, err := c.Status(ctx, name)
			if err != nil || status.Connector.State != Running && status.Connector.State != Failed {
				continue
			}
			r, now := rests[name], time.Now()
			failure := status.Failure()
			switch {
			case now.Before(r.until):
			case failure == nil:
				delete(rests, name)
			default:
				r.pause = min(max(2*r.pause, tendInterval), maxTendPause)
				r.until = now.Add(r.pause)
				rests[name] = r
				log.Warn("a connector failed and is started again", "connector", name, "again_after", r.pause, "error", failure)
				if err := c.Restart(ctx, name); err != nil && ctx.Err() == nil {
					log.Warn("a connector that failed could not be started again", "connector", name, "error", err)
				}
			}
		}
	}
}

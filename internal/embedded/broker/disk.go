package broker

import (
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// diskWatch refuses to write while too little disk space is free. The errors
// are ones that clients retry, so that they go on by themselves once there is
// space again.
type diskWatch struct {
	cluster *kfake.Cluster
	cfg     Config
	log     *slog.Logger

	refusal *kfake.FaultHandle // not nil while refusing
	blind   bool               // the last look at the disk failed

	quit    chan struct{}
	done    sync.WaitGroup
	stopped sync.Once
}

func newDiskWatch(cluster *kfake.Cluster, cfg Config, log *slog.Logger) *diskWatch {
	return &diskWatch{cluster: cluster, cfg: cfg, log: log, quit: make(chan struct{})}
}

// run looks at the disk again and again until stop.
func (d *diskWatch) run(interval time.Duration) {
	d.done.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				d.check()
			case <-d.quit:
				return
			}
		}
	})
}

func (d *diskWatch) stop() {
	d.stopped.Do(func() { close(d.quit) })
	d.done.Wait()
}

// check looks at the disk once and begins or ends refusing. It must not run
// twice at a time.
func (d *diskWatch) check() {
	free, err := d.cfg.FreeSpace(d.cfg.DataDir)
	if err != nil {
		if !d.blind {
			d.log.Warn("broker: looking at the free disk space", "dir", d.cfg.DataDir, "error", err)
		}
		d.blind = true
		return
	}
	d.blind = false
	low := free < d.cfg.FreeSpaceMargin
	switch {
	case low && d.refusal == nil:
		d.log.Error("broker: too little disk space: records and offset commits are refused until there is more",
			"dir", d.cfg.DataDir, "free_bytes", free, "needed_bytes", d.cfg.FreeSpaceMargin)
		d.refusal = d.cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Produce, kmsg.CreateTopics}, Err: kerr.KafkaStorageError, Count: -1},
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable, Count: -1},
		)
	case !low && d.refusal != nil:
		d.log.Info("broker: there is disk space again: records are accepted", "dir", d.cfg.DataDir, "free_bytes", free)
		d.refusal.Remove()
		d.refusal = nil
	}
}

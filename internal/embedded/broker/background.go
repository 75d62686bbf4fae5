package broker

import (
	"fmt"
	"math"
	"time"
)

// background starts what the broker does by itself: it watches the disk, applies
// retention and notes how far the logs are sound.
func (b *Broker) background(inst *instance) {
	if b.cfg.DataDir != "" && b.cfg.FreeSpaceMargin > 0 {
		watch := &diskWatch{cfg: b.cfg, full: func(lack error) {
			inst.requests.SetFull(lack != nil)
			b.lack.Store(&lack)
		}}
		watch.check()
		inst.every(diskCheckInterval, watch.check)
	}
	inst.every(housekeepInterval, func() { b.housekeep(inst) })
}

// every calls act again and again until the broker stops.
func (i *instance) every(interval time.Duration, act func()) {
	i.work.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				act()
			case <-i.quit:
				return
			}
		}
	})
}

func (b *Broker) housekeep(inst *instance) {
	if err := inst.catalog.Housekeep(func(topic string, p int32) int64 { return b.keep(inst, topic, p) }); err != nil {
		b.log.Warn("broker: looking after the stored records; it is tried again", "error", err)
	}
	if err := inst.groups.Housekeep(); err != nil {
		b.log.Warn("broker: looking after the consumer groups; it is tried again", "error", err)
	}
}

// keep gives the first offset of a partition that somebody has not read yet.
func (b *Broker) keep(inst *instance, topic string, p int32) int64 {
	keep := int64(math.MaxInt64)
	if committed, ok := inst.groups.Committed(topic, p, b.cfg.ProtectGroup); ok {
		keep = committed
	}
	if unread, needed := b.cfg.Unread(topic, p); needed {
		keep = min(keep, unread)
	}
	return keep
}

// diskWatch refuses to write while too little disk space is free. The errors
// are ones that clients retry, so that they go on by themselves once there is
// space again.
type diskWatch struct {
	cfg  Config
	full func(lack error) // nil when there is enough

	refusing bool
	blind    bool // the last look at the disk failed
}

// check looks at the disk once and begins or ends refusing. It must not run
// twice at a time.
func (d *diskWatch) check() {
	free, err := d.cfg.FreeSpace(d.cfg.DataDir)
	if err != nil {
		if !d.blind {
			d.cfg.Logger.Warn("broker: looking at the free disk space", "dir", d.cfg.DataDir, "error", err)
		}
		d.blind = true
		return
	}
	d.blind = false
	low := free < d.cfg.FreeSpaceMargin
	switch {
	case low && !d.refusing:
		d.cfg.Logger.Error("broker: too little disk space: records and offset commits are refused until there is more",
			"dir", d.cfg.DataDir, "free_bytes", free, "needed_bytes", d.cfg.FreeSpaceMargin)
	case !low && d.refusing:
		d.cfg.Logger.Info("broker: there is disk space again: records are accepted", "dir", d.cfg.DataDir, "free_bytes", free)
	}
	d.refusing = low
	var lack error
	if low {
		lack = fmt.Errorf("too little disk space: %d bytes are free in %s, records are refused until there are %d", free, d.cfg.DataDir, d.cfg.FreeSpaceMargin)
	}
	d.full(lack)
}

package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Times of a row lock.
const (
	// RowLockExpiry is how long a holder that does not say so any more keeps it.
	RowLockExpiry = 30 * time.Second
	rowLockBeat   = 5 * time.Second
	rowLockLook   = 500 * time.Millisecond
	// rowLockSettle is how long a writer waits for another that wrote at the same
	// moment; the later one has the lock.
	rowLockSettle = 300 * time.Millisecond
)

// RowLockConfig says which lock it is and who takes it.
type RowLockConfig struct {
	Client *ksql.Client
	// Metadata is the Migrator's.
	Metadata Metadata
	// Holder is what others are told while the lock is held, such as a host and
	// a process. It must not be another's.
	Holder string
	// Gone reports whether a holder is known to have ended without giving the lock
	// back. Nil means that none is.
	Gone func(holder string) bool
	// Waiting is told who holds the lock, when another does. Nil means nobody is.
	Waiting func(holder string)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// LockRow waits until no other holder has the lock and takes it: a row of the
// journal's table that its holder renews every few seconds. It is for servers
// whose Kafka cannot be reached, and best effort: clocks that differ by more
// than RowLockExpiry, or a server that shows a row late, can let two in. It waits
// for as long as wait lasts, which ends with ctx. The context that it returns ends
// when ctx does, or when the lock was taken by another or cannot be renewed;
// release gives it back, and may be called twice.
func LockRow(ctx, wait context.Context, config RowLockConfig) (held context.Context, release func(), err error) {
	if config.Client == nil || config.Holder == "" {
		return nil, nil, errors.New("taking the migrations' lock: it needs a ksqlDB client and a holder")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	names, err := config.Metadata.withDefaults()
	if err != nil {
		return nil, nil, fmt.Errorf("taking the migrations' lock: %w", err)
	}
	l := &rowLock{journal: newJournal(config.Client, names), config: config}
	if err := l.acquire(wait); err != nil {
		return nil, nil, fmt.Errorf("taking the migrations' lock: %w", err)
	}
	held, cancel := context.WithCancelCause(Fence(ctx, l.confirm))
	beating, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := l.beat(beating); err != nil {
			cancel(fmt.Errorf("%w: %w", ErrLockLost, err))
		}
	}()
	var once sync.Once
	return held, func() {
		once.Do(func() {
			stop()
			<-done
			// A lock that cannot be given back expires.
			_ = l.write(context.WithoutCancel(ctx), lockFree)
			cancel(nil)
		})
	}, nil
}

type rowLock struct {
	journal journal
	config  RowLockConfig
}

func (l *rowLock) acquire(ctx context.Context) error {
	if err := l.journal.ensure(ctx); err != nil {
		return err
	}
	told := ""
	for {
		holder, err := l.holder(ctx)
		if err != nil {
			return err
		}
		if holder == "" || holder == l.config.Holder || l.config.Gone != nil && l.config.Gone(holder) {
			won, err := l.try(ctx)
			if won || err != nil {
				return err
			}
			continue
		}
		if holder != told && l.config.Waiting != nil {
			l.config.Waiting(holder)
		}
		told = holder
		if err := pause(ctx, rowLockLook); err != nil {
			return fmt.Errorf("waiting for %s, which holds it: %w", holder, err)
		}
	}
}

// try writes the row and reports whether it still is ours when others that saw
// the lock free at the same moment have written theirs.
func (l *rowLock) try(ctx context.Context) (bool, error) {
	if err := l.write(ctx, lockHeld); err != nil {
		return false, err
	}
	if err := pause(ctx, rowLockSettle); err != nil {
		return false, err
	}
	holder, err := l.holder(ctx)
	return holder == l.config.Holder, err
}

// confirm returns an error unless the lock is this holder's.
func (l *rowLock) confirm(ctx context.Context) error {
	holder, err := l.holder(ctx)
	switch {
	case err != nil:
		return err
	case holder == "":
		return errors.New("its row has expired")
	case holder != l.config.Holder:
		return fmt.Errorf("%s has it now", holder)
	}
	return nil
}

// holder returns who has the lock, "" when nobody has.
func (l *rowLock) holder(ctx context.Context) (string, error) {
	rows, err := l.journal.read(ctx, []string{lockKey})
	if err != nil {
		return "", err
	}
	r, ok := rows[lockKey]
	if !ok || r[1] != lockHeld {
		return "", nil
	}
	since, err := strconv.ParseInt(r[8], 10, 64)
	if err != nil || l.config.Now().Sub(time.UnixMilli(since)) > RowLockExpiry {
		return "", nil
	}
	return r[6], nil
}

func (l *rowLock) write(ctx context.Context, state string) error {
	return l.journal.write(ctx, row{lockKey, state, "", "", "", "", l.config.Holder, "", milliseconds(l.config.Now())})
}

// beat renews the row until ctx ends. The error says why it cannot be any more.
func (l *rowLock) beat(ctx context.Context) error {
	for {
		if pause(ctx, rowLockBeat) != nil {
			return nil
		}
		holder, err := l.holder(ctx)
		if err == nil && holder != l.config.Holder {
			return fmt.Errorf("%s has it now", holder)
		}
		if err == nil {
			err = l.write(ctx, lockHeld)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

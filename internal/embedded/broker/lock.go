package broker

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockFile is the file whose lock stands for its directory.
const lockFile = "lock"

// ErrLocked means that another process works on a data directory.
var ErrLocked = errors.New("in use by another process")

// Lock is a held lock of a directory. It ends with the process at the latest.
type Lock struct{ flock *flock.Flock }

// LockDir takes the lock of a data directory, which must exist. It doesn't
// wait: the error is ErrLocked when another process has it.
func LockDir(dir string) (*Lock, error) {
	l := flock.New(filepath.Join(dir, lockFile))
	held, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking data directory %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("locking data directory %s: %w; stop it or choose another data directory", dir, ErrLocked)
	}
	return &Lock{l}, nil
}

// Unlock releases the directory. Unlocking twice does nothing.
func (l *Lock) Unlock() error { return l.flock.Unlock() }

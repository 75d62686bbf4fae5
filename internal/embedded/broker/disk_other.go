//go:build !linux && !darwin && !freebsd

package broker

import (
	"errors"
	"runtime"
)

// freeSpace is not known on this system; the broker says so once and goes on.
func freeSpace(string) (int64, error) {
	return 0, errors.New("the free space of a file system can't be read on " + runtime.GOOS)
}

//go:build linux || darwin || freebsd

package broker

import (
	"fmt"
	"syscall"
)

// freeSpace gives the bytes that an unprivileged process may still write to the
// file system that holds dir.
func freeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("reading the free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

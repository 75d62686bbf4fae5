package fault

import (
	"fmt"
	"runtime/debug"
)

// Guard runs what settings and records of clients decide on. A panic there is an error
// of the connector, and not the end of the process with all its servers, which would
// come again at every start.
func Guard(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug of this worker: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}

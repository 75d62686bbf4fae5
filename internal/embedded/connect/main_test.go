package connect_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run side by side than there are processors: they wait
// most of the time. Fuzzing doesn't, and each of its processes has a broker.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		if err := flag.Set("test.parallel", "12"); err != nil {
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

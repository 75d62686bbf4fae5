package architecture

import "testing"

// What checks the system from outside must not share its mistakes.
func TestTheCheckerKnowsNothingOfWhatItChecks(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || !within(f.dir, "internal/verify") {
			continue
		}
		for _, imported := range imports(t, f) {
			t.Errorf("%s imports %s: the checker has its own rules", f.path, imported)
		}
	}
}

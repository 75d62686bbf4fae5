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

// The simulation brings services and embedded servers together, for tests alone.
func TestOnlyTestsImportTheSimulation(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || within(f.dir, "internal/simulation") {
			continue
		}
		for _, imported := range imports(t, f) {
			if within(imported, "internal/simulation") {
				t.Errorf("%s imports %s, which is for tests", f.path, imported)
			}
		}
	}
}

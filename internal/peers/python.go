package peers

import (
	"path/filepath"
	"testing"
)

// Python makes a virtual environment with PyPI packages ("name==version") and
// returns its interpreter.
func Python(t testing.TB, packages ...string) string {
	t.Helper()
	dir := fetched(t, "python", packages, func(dir string) {
		run(t, dir, "python3", "-m", "venv", dir)
		run(t, dir, filepath.Join(dir, "bin", "pip"), append([]string{"install", "--quiet", "--disable-pip-version-check"}, packages...)...)
	})
	return filepath.Join(dir, "bin", "python")
}

// NodeModules installs npm packages ("name@version") and returns the folder whose
// node_modules has them: run scripts there.
func NodeModules(t testing.TB, packages ...string) string {
	t.Helper()
	return fetched(t, "node", packages, func(dir string) {
		run(t, dir, "npm", append([]string{"install", "--silent", "--no-audit", "--no-fund", "--prefix", dir}, packages...)...)
	})
}

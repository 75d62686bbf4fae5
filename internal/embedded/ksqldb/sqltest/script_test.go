package sqltest

import "testing"

func TestScripts(t *testing.T) { RunFile(t, "testdata/statements.sql", Options{}) }

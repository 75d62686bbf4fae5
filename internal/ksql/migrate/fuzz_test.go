package migrate_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func FuzzParseProperties(f *testing.F) {
	for _, seed := range []string{"a=b", "# c\n\na: b=c", "=", "a", "\ufeffa=b\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := migrate.ParseProperties(text)
		if err == nil {
			assert.NotContains(t, values, "")
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("V000001__a.sql", "U000001__a.sql")
	f.Add("v1.sql", "U1.SQL")
	f.Fuzz(func(t *testing.T, first, second string) {
		fsys := fstest.MapFS{first: {Data: []byte("A;")}, second: {Data: []byte("B;")}}
		files, err := migrate.Load(fsys)
		if err != nil {
			return
		}
		for _, file := range files {
			assert.Positive(t, file.Version)
			assert.LessOrEqual(t, file.Version, migrate.MaxVersion)
		}
	})
}

package function

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func tableFunctions() []tableDef {
	explode := func(args []types.Value) ([]types.Value, error) { return args[0].Elems(), nil }
	return []tableDef{
		{"explode", "A row for each element of an array.", []tableOverloadDef{
			{params: "ARRAY<DECIMAL> input", result: "DECIMAL", rows: explode, typeOf: func(args []*types.Type) (*types.Type, error) { return args[0].Elem, nil }},
			{params: "ARRAY<T> list", result: "T", rows: explode},
		}},
		{"cube_explode", "A row for each combination of an array's elements, with NULLs where one is left out.", []tableOverloadDef{
			{params: "ARRAY<T> columns", result: "ARRAY<T>", rows: cubeExplode},
		}},
	}
}

// maxCube bounds the elements that CUBE_EXPLODE combines.
const maxCube = 20

// cubeExplode counts through the combinations: bit i, from the left, says
// whether element i is there. Elements that are NULL are always so and do not
// count.
func cubeExplode(args []types.Value) ([]types.Value, error) {
	elems := args[0].Elems()
	if args[0].IsNull() {
		return nil, nil
	}
	var present []int
	for i, e := range elems {
		if !e.IsNull() {
			present = append(present, i)
		}
	}
	if len(present) > maxCube {
		return nil, fmt.Errorf("an array of %d elements has too many combinations: at most %d elements are combined", len(present), maxCube)
	}
	rows := make([]types.Value, 0, 1<<len(present))
	for bits := range 1 << len(present) {
		row := make([]types.Value, len(elems))
		for j, i := range present {
			if bits>>(len(present)-1-j)&1 == 1 {
				row[i] = elems[i]
			}
		}
		rows = append(rows, types.ArrayValue(row))
	}
	return rows, nil
}

package function

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"
	"sort"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// COUNT_DISTINCT is a HyperLogLog counter (Flajolet et al., 2007) with 2^14
// registers, as in ksqlDB; below 2.5 times as many values it counts linearly by
// the registers still empty. The state is bytes: while few registers are set,
// they are listed (sparse: register*256+rank, 4 bytes big endian, ascending),
// later there is a byte per register (dense, hllRegisters bytes).
const (
	hllBits      = 14
	hllRegisters = 1 << hllBits
	// hllSparse is the number of registers up to which the list is kept.
	hllSparse = 1024
)

func bindCountDistinct(b Binding) (*aggregator, error) {
	t := b.Args[0]
	return &aggregator{
		result: types.Bigint, state: types.Bytes, init: types.BytesValue(nil),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			if args[0].IsNull() {
				return state, nil
			}
			register, rank := hllPlace(t, args[0])
			return types.BytesValue(hllSet(state.Bytes(), register, rank)), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			out := a.Bytes()
			for register, rank := range hllEntries(b.Bytes()) {
				out = hllSet(out, register, rank)
			}
			return types.BytesValue(out), nil
		},
		final: func(state types.Value) (types.Value, error) {
			return types.IntValue(hllCount(state.Bytes())), nil
		},
	}, nil
}

// hllPlace is the register that a value falls into and its rank there.
func hllPlace(t *types.Type, v types.Value) (register uint32, rank uint8) {
	h := fnv.New64a()
	if t.Kind == types.KindBytes {
		_, _ = h.Write(v.Bytes())
	} else {
		_, _ = h.Write(types.AppendText(nil, t, v))
	}
	x := h.Sum64()
	// The finalizer of MurmurHash3 spreads FNV's weak high bits.
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return uint32(x >> (64 - hllBits)), uint8(bits.LeadingZeros64(x<<hllBits|1<<(hllBits-1))) + 1
}

// hllEntries yields the registers that are set.
func hllEntries(state []byte) func(yield func(uint32, uint8) bool) {
	return func(yield func(uint32, uint8) bool) {
		if len(state) == hllRegisters {
			for i, rank := range state {
				if rank > 0 && !yield(uint32(i), rank) {
					return
				}
			}
			return
		}
		for i := 0; i+4 <= len(state); i += 4 {
			e := binary.BigEndian.Uint32(state[i:])
			if !yield(e>>8, uint8(e)) {
				return
			}
		}
	}
}

// hllSet gives a state in which the register has at least this rank. The state
// given is not changed.
func hllSet(state []byte, register uint32, rank uint8) []byte {
	if len(state) == hllRegisters {
		if state[register] >= rank {
			return state
		}
		out := slices.Clone(state)
		out[register] = rank
		return out
	}
	n := len(state) / 4
	at := sort.Search(n, func(i int) bool { return binary.BigEndian.Uint32(state[i*4:])>>8 >= register })
	found := at < n && binary.BigEndian.Uint32(state[at*4:])>>8 == register
	switch {
	case found && state[at*4+3] >= rank:
		return state
	case found:
		out := slices.Clone(state)
		out[at*4+3] = rank
		return out
	case n < hllSparse:
		entry := binary.BigEndian.AppendUint32(nil, register<<8|uint32(rank))
		return slices.Concat(state[:at*4], entry, state[at*4:])
	}
	dense := make([]byte, hllRegisters)
	for r, k := range hllEntries(state) {
		dense[r] = k
	}
	dense[register] = rank
	return dense
}

func hllCount(state []byte) int64 {
	sum, set := 0.0, 0
	for _, rank := range hllEntries(state) {
		sum += math.Ldexp(1, -int(rank))
		set++
	}
	empty := hllRegisters - set
	sum += float64(empty)
	const m = float64(hllRegisters)
	alpha := 0.7213 / (1 + 1.079/m)
	estimate := alpha * m * m / sum
	if estimate <= 2.5*m && empty > 0 {
		estimate = m * math.Log(m/float64(empty))
	}
	return int64(math.Round(estimate))
}

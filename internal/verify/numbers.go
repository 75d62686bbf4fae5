package verify

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// seqHeader is the record header that carries the number of an output: service id,
// query, task and number, divided by slashes.
const seqHeader = "__orderflow.seq"

// numbers are the numbers of a task's outputs that have been seen.
type numbers struct {
	seen    []uint64 // a bit each
	highest uint64
	count   uint64
}

// add reports whether n was not there before.
func (s *numbers) add(n uint64) bool {
	for uint64(len(s.seen)) <= n/64 {
		s.seen = append(s.seen, 0)
	}
	bit := uint64(1) << (n % 64)
	if s.seen[n/64]&bit != 0 {
		return false
	}
	s.seen[n/64] |= bit
	s.highest = max(s.highest, n)
	s.count++
	return true
}

// missing returns the lowest number below the highest that has not been seen.
func (s *numbers) missing() uint64 {
	for i, word := range s.seen {
		if ^word != 0 {
			return uint64(i)*64 + uint64(bits.TrailingZeros64(^word))
		}
	}
	return s.highest + 1
}

// number notes the number of an output.
func (h *History) number(topic string, partition int32, offset int64, header string) {
	cut := strings.LastIndexByte(header, '/')
	n, err := strconv.ParseUint(header[cut+1:], 10, 64)
	where := fmt.Sprintf("%s partition %d offset %d", topic, partition, offset)
	if err != nil || cut < 0 {
		h.changed = append(h.changed, Finding{RuleNumbers, where, fmt.Sprintf("the header %q has no number", header)})
		return
	}
	task := header[:cut]
	if h.numbers[task] == nil {
		h.numbers[task] = &numbers{}
	}
	if !h.numbers[task].add(n) {
		h.changed = append(h.changed, Finding{RuleNumbers, where, fmt.Sprintf("task %s has written output %d before", task, n)})
	}
}

// checkNumbers: the numbers of a task's outputs have no gaps, since each is written,
// and no number comes twice. Tasks that write to internal topics take no part: what
// was read there is removed.
func checkNumbers(r *Report, h *History) {
	for task, s := range h.numbers {
		if s.count != s.highest+1 {
			r.open(RuleNumbers, task, "output %d is missing, %d of %d are there", s.missing(), s.count, s.highest+1)
		}
	}
}

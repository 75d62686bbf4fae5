package ledger

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The headers of a check result say what the stock was when the order asked. They are
// decimal numbers in units. ksqlDB, which reads the value alone, knows nothing of them.
const (
	headerAsked     = "orderflow.asked"
	headerAvailable = "orderflow.available"
)

// Headers returns the headers of the record with which a reservation is answered.
func (r Reservation) Headers() []kgo.RecordHeader {
	return []kgo.RecordHeader{
		{Key: headerAsked, Value: strconv.AppendInt(nil, int64(r.Quantity), 10)},
		{Key: headerAvailable, Value: strconv.AppendInt(nil, r.Available, 10)},
	}
}

// Found reads what Headers wrote: how many units were asked for and how many could be
// promised. It reports false when the headers are of another writer.
func Found(headers []kgo.RecordHeader) (asked, available int64, ok bool) {
	read := func(key string) (int64, bool) {
		for _, h := range headers {
			if h.Key == key {
				n, err := strconv.ParseInt(string(h.Value), 10, 64)
				return n, err == nil
			}
		}
		return 0, false
	}
	asked, hasAsked := read(headerAsked)
	available, hasAvailable := read(headerAvailable)
	return asked, available, hasAsked && hasAvailable
}

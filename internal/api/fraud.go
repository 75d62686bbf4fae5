package api

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow/orderflow/sql"
)

// suspect is a customer who ordered too often within one window.
type suspect struct {
	CustomerID int64  `json:"customerId"`
	LastName   string `json:"lastName"`
	FirstName  string `json:"firstName"`
	Counts     int64  `json:"counts"`

	windowStart int64
}

// fraudView holds the last count of each customer. It is safe for concurrent use.
type fraudView struct {
	mu      sync.Mutex
	byID    map[int64]suspect
	changed chan struct{} // closed and replaced at each change
}

func newFraudView() *fraudView {
	return &fraudView{byID: map[int64]suspect{}, changed: make(chan struct{})}
}

// apply takes one row. Rows of an older window than is known, and repeated ones,
// change nothing, so the whole table may be read again at any time.
func (v *fraudView) apply(s suspect) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.byID[s.CustomerID]
	if ok && (s.windowStart < known.windowStart || s == known) {
		return
	}
	v.byID[s.CustomerID] = s
	close(v.changed)
	v.changed = make(chan struct{})
}

// list returns at most limit customers, the newest window first, and a channel that
// is closed at the next change.
func (v *fraudView) list(limit int) ([]suspect, <-chan struct{}) {
	v.mu.Lock()
	list := make([]suspect, 0, len(v.byID))
	for _, s := range v.byID {
		list = append(list, s)
	}
	changed := v.changed
	v.mu.Unlock()
	slices.SortFunc(list, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(b.windowStart, a.windowStart), cmp.Compare(b.Counts, a.Counts), cmp.Compare(a.CustomerID, b.CustomerID))
	})
	return list[:min(limit, len(list))], changed
}

// feed returns the push query that fills the view.
func (v *fraudView) feed(queries Queries, log *slog.Logger) (*feed, error) {
	text, err := sql.Query(sql.FraudChanges)
	if err != nil {
		return nil, err
	}
	return &feed{
		name:    sql.FraudChanges,
		text:    text,
		props:   map[string]string{"auto.offset.reset": "earliest"},
		queries: queries,
		log:     log,
		onRow: func(rows Rows) error {
			s, ok, err := scanSuspect(rows)
			if err != nil {
				return err
			}
			if ok {
				v.apply(s)
			}
			return nil
		},
	}, nil
}

// scanSuspect reads a row of FRAUD_ORDER by the names of its columns. It reports
// false for a customer without a name, who was unknown when he ordered.
func scanSuspect(rows Rows) (suspect, bool, error) {
	var s suspect
	var id, window, counts *int64
	var last, first *string
	targets := map[string]any{"CUSTOMERID": &id, "LASTNAME": &last, "FIRSTNAME": &first, "WINDOWSTART": &window, "COUNTS": &counts}
	dest := make([]any, len(rows.Columns()))
	for i, c := range rows.Columns() {
		name := strings.ToUpper(c.Name)
		if target, ok := targets[name]; ok {
			dest[i] = target
			delete(targets, name)
		}
	}
	if len(targets) > 0 {
		return s, false, fmt.Errorf("FRAUD_ORDER lacks columns: it has %v", rows.Columns())
	}
	if err := rows.Scan(dest...); err != nil {
		return s, false, err
	}
	if id == nil || last == nil || first == nil || window == nil || counts == nil {
		return s, false, nil
	}
	return suspect{CustomerID: *id, LastName: *last, FirstName: *first, Counts: *counts, windowStart: *window}, true, nil
}

// getFraud lists suspicious customers with what is known now; with wait it answers at
// the next change, or when the time is over.
func (h *handlers) getFraud(w http.ResponseWriter, r *http.Request) error {
	limit, err := intParam(r, "limit", 10, 1, 1000)
	if err != nil {
		return err
	}
	wait, err := millis(r, "wait", 0)
	if err != nil {
		return err
	}
	list, changed := h.fraud.list(limit)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-changed:
			list, _ = h.fraud.list(limit)
		case <-timer.C:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

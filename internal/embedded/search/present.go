package search

import "strings"

// presentTerms gives the terms by which documents say that they have a field: its
// name's, and those of combinations of fields with it.
func (x *execution) presentTerms(path string) ([]string, error) {
	seen := map[string]bool{namePrefix + path: true}
	found := []string{namePrefix + path}
	part := shapeSeparator + path + shapeSeparator
	for _, seg := range x.segments() {
		dict, err := seg.Segment().Dictionary(fieldNames)
		if err != nil {
			return nil, err
		}
		it := dict.AutomatonIterator(nil, []byte(shapePrefix), []byte(namePrefix))
		for {
			entry, err := it.Next()
			if err != nil {
				return nil, err
			}
			if entry == nil {
				break
			}
			if !seen[entry.Term] && strings.Contains(entry.Term, part) {
				seen[entry.Term] = true
				found = append(found, entry.Term)
			}
		}
	}
	return found, nil
}

// present adds the documents that have a field.
func (s *docSet) present(path string) error {
	terms, err := s.x.presentTerms(path)
	if err != nil {
		return err
	}
	for _, term := range terms {
		if err := s.term(fieldNames, term); err != nil {
			return err
		}
	}
	return nil
}

// countPresent counts the documents that have a field.
func (x *execution) countPresent(path string) (uint64, error) {
	terms, err := x.presentTerms(path)
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for _, term := range terms {
		r, err := x.postings(fieldNames, term, false, false)
		if err != nil {
			return 0, err
		}
		n += r.Count()
		if err := r.Close(); err != nil {
			return 0, err
		}
	}
	return n, nil
}

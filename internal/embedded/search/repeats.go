package search

import "strconv"

// repeatSuffix marks the field with the numbers that a document has more than once
// in a field: a term is there once for a document, but each value counts in sums.
const repeatSuffix = "\x02"

// numberTermLength is how long each number's term is.
var numberTermLength = len(exactTerm(0))

// repeatTerm is the term of a number that a document has again, so often.
func repeatTerm(number string, again int) string { return number + strconv.Itoa(again) }

// repeatOf reads a number, and how often there is another of it, from their term.
func repeatOf(term []byte) (number int64, again int) {
	if len(term) <= numberTermLength {
		return 0, 0
	}
	again, err := strconv.Atoi(string(term[numberTermLength:]))
	if err != nil {
		return 0, 0
	}
	return exactValue(term[:numberTermLength]), again
}

// repeat notes that a document has a number again that its field has already.
func (d *parsedDocument) repeat(m *mapping, number string) {
	f := d.many(m.path+repeatSuffix, valueOptions)
	again := 1
	for f.terms[repeatTerm(number, again)] != nil {
		delete(f.terms, repeatTerm(number, again))
		f.length--
		again++
	}
	f.add(repeatTerm(number, again), rareTerm)
}

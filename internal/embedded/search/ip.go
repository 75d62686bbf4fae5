package search

import (
	"net/netip"
	"strings"
)

// ipTerm is the term of an address: 16 bytes, those of IPv4 mapped into IPv6, so
// that terms sort as addresses do.
func ipTerm(text string) (string, *apiError) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return "", illegalArgument("'%s' is not an IP string literal.", text)
	}
	b := addr.As16()
	return string(b[:]), nil
}

// prefixRange gives the first and the last address of a network.
func prefixRange(p netip.Prefix) (low, high []byte) {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	first := p.Masked().Addr().As16()
	last := first
	for i := bits; i < 128; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	return first[:], last[:]
}

// successor is the first address after another, nil after the last one.
func successor(b []byte) []byte {
	next := append([]byte{}, b...)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next
		}
	}
	return nil
}

// collectIP adds the documents with an address, or with one of a network.
func collectIP(docs *docSet, m *mapping, text string) error {
	if !strings.Contains(text, "/") {
		term, err := ipTerm(text)
		if err != nil {
			return err
		}
		return docs.term(m.path, term)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return illegalArgument("'%s' is not an IP string literal.", text)
	}
	low, high := prefixRange(p)
	return docs.terms(m.path, string(low), func(term string) verdict {
		if term > string(high) {
			return stopTerms
		}
		return takeTerm
	})
}

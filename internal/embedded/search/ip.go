package search

import (
	"encoding/hex"
	"net/netip"
	"strings"
)

// ipTerm is the term of an address: its 16 bytes in hexadecimal, those of IPv4
// mapped into IPv6, so that terms sort as addresses do. As they are the bytes
// can't be terms: scorch keeps 0xff for itself.
func ipTerm(text string) (string, *apiError) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return "", illegalArgument("'%s' is not an IP string literal.", text)
	}
	b := addr.As16()
	return hex.EncodeToString(b[:]), nil
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

// noAddress is what a query with a wrong address is told.
func noAddress(x *execution, cause *apiError) *apiError {
	e := queryShard(x.ix, "failed to create query: %s", cause.reason)
	e.cause = cause
	return e
}

// collectIP adds the documents with an address, or with one of a network.
func collectIP(docs *docSet, m *mapping, text string) error {
	if !strings.Contains(text, "/") {
		term, err := ipTerm(text)
		if err != nil {
			return noAddress(docs.x, err)
		}
		return docs.term(m.path, term)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return noAddress(docs.x, illegalArgument("'%s' is not an IP string literal.", text))
	}
	low, high := prefixRange(p)
	first, last := hex.EncodeToString(low), hex.EncodeToString(high)
	return docs.terms(m.path, first, func(term string) verdict {
		if term > last {
			return stopTerms
		}
		return takeTerm
	})
}

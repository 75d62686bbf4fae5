// Package wire speaks the framing of the Kafka protocol: it accepts connections,
// reads requests, hands them to whom they are for, and writes the answers, in the
// order of the requests, as the protocol has it.
//
// Invariants: a frame that can't be a request of the APIs offered closes its
// connection and nothing else; so does one that isn't sent to its end in time, and
// a client that doesn't take its answers. No more connections than the limit are
// served, and the frames being read or handled don't take more memory together
// than the limit, nor does what is decoded of them: each frame is walked over
// (package layout) before a decoder believes the lengths in it. One goroutine
// serves a connection.
package wire

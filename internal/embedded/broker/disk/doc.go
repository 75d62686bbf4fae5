// Package disk is what the broker knows of a file system: few operations, so
// that tests can put one in its place that runs full or fails, and a bound on
// how many files are open.
//
// Invariants: a file written with [WriteFile] has, after a crash, its old
// content or its new one; a [Handle] stays usable until it is released, also
// when its file was removed or pushed out by others meanwhile.
package disk

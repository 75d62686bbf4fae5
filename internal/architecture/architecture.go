// Package architecture holds no code, only the tests that keep the structure of
// this repository: which package may import which, that every package says its
// job, and that files stay readable.
package architecture

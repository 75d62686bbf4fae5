// Package credentials keeps who may use a server of this process: users with
// passwords and API keys, read from a file that holds hashes alone.
//
// Invariants: no error and no log line repeats anything of a credential; an
// unknown name takes as long to refuse as a wrong password; a [Store] does not
// change after it was loaded, so that any number of servers may share it.
package credentials

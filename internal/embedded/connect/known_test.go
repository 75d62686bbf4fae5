package connect_test

// knownDifferences are the recorded units that the worker does not match, each with
// its reason.
var knownDifferences = map[string]string{}

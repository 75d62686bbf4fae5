package connect_test

// knownDifferences are the recorded units that the worker does not match, each with
// its reason.
var knownDifferences = map[string]string{
	"jdbc/customers": "a task that sleeps between two polls ends at once here, and its offsets are written; the recorded worker gave it up after 5 seconds, without its offsets, and rows came again",
	"rest/103":       "a rebalance of the recorded worker; there is none here",
	"rest/114":       "a reset partition is gone at once here; the recorded worker still lists it, with a null offset, until it has read its own record",
	"rest/184":       "the loggers are the worker's own parts; the recorded worker lists Java classes",
	"rest/29":        "fewer classes of plug-ins exist here",
	"rest/39":        "a null setting is refused by name; the recorded worker fails on it",
	"rest/4":         "fewer classes of plug-ins exist here",
	"rest/5":         "fewer classes of plug-ins exist here",
	"rest/55":        "fewer classes of plug-ins exist here",
	"validate/11":    "fewer classes of plug-ins exist here",
	"rest/145":       "the restarted task has failed again here; the recorded one was about to",
}

package connect

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// rootLogger is the name of the logger above all others, workerLogger that of the
// worker's own. A connector's is the name of its class.
const (
	rootLogger   = "root"
	workerLogger = "org.apache.kafka.connect.runtime.Worker"
)

// logLevels are the levels of the real worker, and what they are here.
var logLevels = map[string]slog.Level{
	"TRACE": slog.LevelDebug - 4, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn,
	"ERROR": slog.LevelError, "FATAL": slog.LevelError + 4, "OFF": slog.LevelError + 1000,
}

// loggers keeps the levels that were set by clients.
type loggers struct {
	mu     sync.RWMutex
	levels map[string]loggerLevel // by name
}

type loggerLevel struct {
	Level    string `json:"level"`
	Modified *int64 `json:"last_modified"` // in milliseconds since 1970
}

func newLoggers() *loggers { return &loggers{levels: map[string]loggerLevel{}} }

// level gives the level in force for a logger, and whether one was set for it or
// one above it.
func (l *loggers) level(name string) (slog.Level, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for n := name; ; {
		if set, ok := l.levels[n]; ok {
			return logLevels[set.Level], true
		}
		i := strings.LastIndexByte(n, '.')
		if i < 0 {
			break
		}
		n = n[:i]
	}
	set, ok := l.levels[rootLogger]
	return logLevels[set.Level], ok
}

// all lists what is known: the root and what was set.
func (l *loggers) all() map[string]loggerLevel {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := map[string]loggerLevel{rootLogger: {Level: "INFO"}}
	for name, set := range l.levels {
		list[name] = set
	}
	return list
}

// set gives a level to a logger and, as the real worker does, to all whose names
// begin like its name; the root is above all. It names them.
func (l *loggers) set(name, level string, now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	affected := []string{name}
	for _, other := range slices.Concat(loggerNames(), sortedKeys(l.levels)) {
		if strings.HasPrefix(other, name) || name == rootLogger {
			affected = append(affected, other)
		}
	}
	slices.Sort(affected)
	affected = slices.Compact(affected)
	ms := now.UnixMilli()
	for _, n := range affected {
		l.levels[n] = loggerLevel{level, &ms}
	}
	return affected
}

// loggerNames are the loggers of this worker.
func loggerNames() []string {
	names := []string{workerLogger}
	for _, p := range plugins {
		names = append(names, p.Class())
	}
	return names
}

// named gives a logger whose level can be set by name.
func (l *loggers) named(log *slog.Logger, name string) *slog.Logger {
	return slog.New(&levelHandler{log.Handler(), l, name})
}

// levelHandler lets pass what the level set for a logger allows, and without one
// what the handler behind it does.
type levelHandler struct {
	slog.Handler
	loggers *loggers
	name    string
}

func (h *levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	if least, set := h.loggers.level(h.name); set {
		return level >= least
	}
	return h.Handler.Enabled(ctx, level)
}

func (h *levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &levelHandler{h.Handler.WithAttrs(attrs), h.loggers, h.name}
}

func (h *levelHandler) WithGroup(name string) slog.Handler {
	return &levelHandler{h.Handler.WithGroup(name), h.loggers, h.name}
}

func listLoggers(w *worker, _ *call) (*answer, error) { return ok(w.loggers.all()) }

func getLogger(w *worker, c *call) (*answer, error) {
	set, known := w.loggers.all()[c.vars[0]]
	if !known {
		return nil, fail(http.StatusNotFound, "Logger %s not found.", c.vars[0])
	}
	return ok(set)
}

func putLogger(w *worker, c *call) (*answer, error) {
	if _, err := members(c.body, stringMapType); err != nil {
		return nil, err
	}
	if isNull(c.body) {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "java.util.Map.get(Object)" because "levelMap" is null`)
	}
	var request map[string]any
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, malformed(err)
	}
	level, given := request["level"].(string)
	if !given {
		return nil, fail(http.StatusBadRequest, "Desired 'level' parameter was not specified in request.")
	}
	name := strings.ToUpper(level)
	if _, known := logLevels[name]; !known {
		return nil, fail(http.StatusNotFound, "invalid log level '%s'.", level)
	}
	affected := w.loggers.set(c.vars[0], name, w.cfg.Clock.Now())
	if c.req.URL.Query().Get("scope") == "cluster" {
		return &answer{status: http.StatusNoContent}, nil
	}
	return ok(affected)
}

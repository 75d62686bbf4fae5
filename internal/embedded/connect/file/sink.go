package file

import (
	"context"
	"os"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// sinkTask writes a line for each record.
type sinkTask struct {
	path    string
	file    *os.File
	written func(records ...*plugin.Record)
}

// Start opens the file, which is made when it is missing and grows when it is not.
func (t *sinkTask) Start(_ context.Context, env plugin.Environment, settings map[string]string) error {
	t.path = config.NewSettings(sinkDefinition, settings).Text(fileSetting)
	if err := allowed(env, t.path); err != nil {
		return err
	}
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fault.Wrap(fault.Connect, fileFault(t.path, err), "Couldn't find or create file '%s' for FileStreamSinkTask", t.path)
	}
	t.file, t.written = f, env.Written
	return nil
}

// Put writes the records' values in one go.
func (t *sinkTask) Put(_ context.Context, records []*plugin.Record) error {
	var lines []byte
	for _, r := range records {
		lines = append(append(lines, data.Text(r.Value)...), '\n')
	}
	if _, err := t.file.Write(lines); err != nil {
		return fault.Wrap(fault.Connect, fileFault(t.path, err), "writing to %s", t.path)
	}
	t.written(records...)
	return nil
}

// Flush has nothing to do: every Put writes.
func (t *sinkTask) Flush(context.Context) error { return nil }

// Close closes the file.
func (t *sinkTask) Close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}

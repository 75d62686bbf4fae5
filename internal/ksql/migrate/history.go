package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aymanbagabas/go-udiff"
)

// history is what the metadata says, with all that the chain of applied
// versions needs.
type history struct {
	initialized bool
	records     map[string]record // by version, and "CURRENT"
	latest      int               // latest version that is MIGRATED, 0 when none is
	applied     []int             // versions that are MIGRATED, latest first
}

// history reads the rows of the files' versions and of the versions that were
// applied.
func (m *Migrator) history(ctx context.Context, files []File) (history, error) {
	h, err := m.rows(ctx, files)
	if err == nil {
		err = m.follow(ctx, &h)
	}
	return h, err
}

// rows reads the rows of the files' versions.
func (m *Migrator) rows(ctx context.Context, files []File) (history, error) {
	h := history{records: map[string]record{}}
	there, err := m.metadata.exists(ctx)
	if err != nil {
		return h, fmt.Errorf("looking for the migrations metadata: %w", err)
	}
	if !there {
		return h, nil
	}
	h.initialized = true
	keys := []string{currentKey}
	for _, file := range files {
		keys = append(keys, strconv.Itoa(file.Version))
	}
	if h.records, err = m.metadata.readRecords(ctx, keys); err != nil {
		return h, err
	}
	// The row of a version that begins comes right after the current one. Somebody may
	// have been cut off between the two.
	if current, ok := h.records[currentKey]; ok && current.state == Running {
		_, there, err := m.record(ctx, &h, current.version)
		if err != nil {
			return h, err
		}
		if !there {
			h.records[current.version] = current
		}
	}
	return h, nil
}

// follow goes from the current version to the one before it, and so on.
func (m *Migrator) follow(ctx context.Context, h *history) error {
	current, ok := h.records[currentKey]
	if !ok {
		return nil
	}
	next := current.version
	for first := true; next != noneVersion; first = false {
		r, ok, err := m.record(ctx, h, next)
		if err != nil {
			return err
		}
		version, numErr := strconv.Atoi(next)
		switch {
		case !ok:
			return fmt.Errorf("%s has no row for version %s, which another row names as applied", m.metadata.table, next)
		case numErr != nil || version < 1:
			return fmt.Errorf("%s has a row for version %q, which is no version", m.metadata.table, next)
		case r.state != Migrated && !first:
			return fmt.Errorf("%s has a row that names version %s as applied before it, but that is %s", m.metadata.table, next, r.state)
		case len(h.applied) > 0 && version >= h.applied[len(h.applied)-1]:
			return fmt.Errorf("%s says that version %s was applied before version %d", m.metadata.table, next, h.applied[len(h.applied)-1])
		}
		if r.state == Migrated {
			h.applied = append(h.applied, version)
		}
		next = r.previous
	}
	if len(h.applied) > 0 {
		h.latest = h.applied[0]
	}
	return nil
}

// record returns the row of a version, which may be one without a file.
func (m *Migrator) record(ctx context.Context, h *history, version string) (record, bool, error) {
	if r, ok := h.records[version]; ok {
		return r, true, nil
	}
	found, err := m.metadata.readRecords(ctx, []string{version})
	if err != nil {
		return record{}, false, err
	}
	r, ok := found[version]
	if ok {
		h.records[version] = r
	}
	return r, ok, nil
}

// HistoryError says what is wrong with the file of a version that was applied.
type HistoryError struct {
	Version int `json:"version"`
	// File is the file's name, "" when it is missing.
	File string `json:"file,omitempty"`
	// Name is the migration's.
	Name string `json:"name"`
	// Then and Now are the checksums; Now is "" when the file is missing.
	Then string `json:"then"`
	Now  string `json:"now,omitempty"`
	// Diff is what was changed in it, as a unified diff; "" when what was applied
	// is not known, as is so when ksql-migrations applied it.
	Diff string `json:"diff,omitempty"`
}

func (e *HistoryError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("version %d (%s) was applied, but its file is missing: put it back", e.Version, e.Name)
	}
	return fmt.Sprintf("%s was changed after it was applied (checksum then %s, now %s): undo the change and put it into a new file, or run `migrate repair %d --accept` if it makes no difference",
		e.File, e.Then, e.Now, e.Version)
}

// HistoryErrors returns the errors about applied files that err is made of.
func HistoryErrors(err error) []*HistoryError {
	switch e := err.(type) {
	case *HistoryError:
		return []*HistoryError{e}
	case interface{ Unwrap() []error }:
		var all []*HistoryError
		for _, one := range e.Unwrap() {
			all = append(all, HistoryErrors(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		return HistoryErrors(e.Unwrap())
	}
	return nil
}

// validateHistory reports applied files that are gone or were changed, each as a
// *HistoryError.
func (m *Migrator) validateHistory(ctx context.Context, h history, files []File) error {
	byVersion := map[int]File{}
	for _, file := range files {
		byVersion[file.Version] = file
	}
	var errs []error
	var changed []*HistoryError
	for _, version := range h.applied {
		r := h.records[strconv.Itoa(version)]
		file, ok := byVersion[version]
		if ok && file.Checksum == r.checksum {
			continue
		}
		e := &HistoryError{Version: version, Name: r.name, Then: r.checksum}
		if ok {
			e.File, e.Now = file.Path, file.Checksum
			changed = append(changed, e)
		}
		errs = append(errs, e)
	}
	if len(changed) > 0 {
		if err := m.diff(ctx, changed, byVersion); err != nil {
			errs = append(errs, fmt.Errorf("finding out what was changed: %w", err))
		}
	}
	return errors.Join(errs...)
}

// diff finds what was changed in files.
func (m *Migrator) diff(ctx context.Context, changed []*HistoryError, files map[int]File) error {
	there, err := m.journal.exists(ctx)
	if err != nil || !there {
		return err
	}
	keys := make([]string, len(changed))
	for i, e := range changed {
		keys[i] = strconv.Itoa(e.Version)
	}
	texts, err := m.journal.texts(ctx, keys)
	if err != nil {
		return err
	}
	for i, e := range changed {
		// The text may be that of another attempt than the one which was noted.
		if text, ok := texts[keys[i]]; ok && checksumOf(text) == e.Then {
			e.Diff = udiff.Unified(e.File+" (applied)", e.File, text, files[e.Version].Content)
		}
	}
	return nil
}

// Status is what Info says about a server's migrations.
type Status struct {
	// Initialized reports whether the metadata exists.
	Initialized bool `json:"initialized"`
	// Current is the version that ran last, whether it succeeded or not; 0
	// when none did.
	Current int `json:"current"`
	// Migrations has one entry per file, ordered by version.
	Migrations []Migration `json:"migrations"`
}

// Pending counts the files that were not applied.
func (s Status) Pending() int {
	count := 0
	for _, migration := range s.Migrations {
		if migration.State != Migrated {
			count++
		}
	}
	return count
}

// Migration is one file and what became of it.
type Migration struct {
	File
	State State `json:"state"`
	// Previous is the version that was applied before it: a number or
	// "<none>"; "" for a pending one.
	Previous string `json:"previous,omitempty"`
	// StartedOn and CompletedOn are in UTC, zero when it did not.
	StartedOn   time.Time `json:"startedOn,omitzero"`
	CompletedOn time.Time `json:"completedOn,omitzero"`
	// ErrorReason says why it failed, "" when it did not.
	ErrorReason string `json:"errorReason,omitempty"`
	// AppliedChecksum is the checksum it ran with, "" for a pending one.
	AppliedChecksum string `json:"appliedChecksum,omitempty"`
	// Resumption says where a file goes on that failed or was cut off; nil for
	// others, and when it would start from its first statement.
	Resumption *Resumption `json:"resumption,omitempty"`
}

// Info returns the state of every migration file. It changes nothing.
func (m *Migrator) Info(ctx context.Context) (Status, error) {
	files, err := Load(m.fsys)
	if err != nil {
		return Status{}, err
	}
	h, err := m.rows(ctx, files)
	if err != nil {
		return Status{}, err
	}
	if err := m.mustBeInitialized(h); err != nil {
		return Status{}, err
	}
	status := Status{Initialized: h.initialized, Migrations: []Migration{}}
	if current, ok := h.records[currentKey]; ok && current.version != noneVersion {
		if status.Current, err = strconv.Atoi(current.version); err != nil {
			return status, fmt.Errorf("%s has %q as its current version, which is none", m.metadata.table, current.version)
		}
	}
	for _, file := range files {
		migration := Migration{File: file, State: Pending}
		if r, ok := h.records[strconv.Itoa(file.Version)]; ok && r.state != Pending {
			migration.State = r.state
			migration.Previous = r.previous
			migration.StartedOn = timeOf(r.startedOn)
			migration.CompletedOn = timeOf(r.completedOn)
			migration.AppliedChecksum = r.checksum
			if r.errorReason != noReason {
				migration.ErrorReason = r.errorReason
			}
		}
		status.Migrations = append(status.Migrations, migration)
	}
	return status, m.addResumptions(ctx, h, status.Migrations)
}

// addResumptions notes where files go on that were begun.
func (m *Migrator) addResumptions(ctx context.Context, h history, migrations []Migration) error {
	var keys []string
	for _, migration := range migrations {
		if migration.State == Running || migration.State == Failed {
			keys = append(keys, strconv.Itoa(migration.Version))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	there, err := m.journal.exists(ctx)
	if err != nil || !there {
		return err
	}
	known, err := m.journal.readProgress(ctx, keys)
	if err != nil {
		return err
	}
	for i := range migrations {
		key := strconv.Itoa(migrations[i].Version)
		p, ok := known[key]
		if !ok || p.startedOn != h.records[key].startedOn || len(p.done) == 0 && p.underway == nil {
			continue
		}
		migrations[i].Resumption = &Resumption{Done: len(p.done)}
		if p.underway != nil {
			migrations[i].Resumption.Uncertain = p.underway.Text
		}
	}
	return nil
}

// Validate reports whether every file that was applied is there and has the
// content it was applied with, and returns how many were. The error is made of
// *HistoryError.
func (m *Migrator) Validate(ctx context.Context) (int, error) {
	files, err := Load(m.fsys)
	if err != nil {
		return 0, err
	}
	h, err := m.history(ctx, files)
	if err != nil {
		return 0, err
	}
	if err := m.mustBeInitialized(h); err != nil {
		return 0, err
	}
	return len(h.applied), m.validateHistory(ctx, h, files)
}

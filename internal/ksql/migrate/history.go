package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
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
	there, err := m.metadata.initialized(ctx)
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
	h.records, err = m.metadata.read(ctx, keys)
	return h, err
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
			return fmt.Errorf("%s has no row for version %s, which another row names as applied", VersionsTable, next)
		case numErr != nil || version < 1:
			return fmt.Errorf("%s has a row for version %q, which is no version", VersionsTable, next)
		case r.state != Migrated && !first:
			return fmt.Errorf("%s has a row that names version %s as applied before it, but that is %s", VersionsTable, next, r.state)
		case len(h.applied) > 0 && version >= h.applied[len(h.applied)-1]:
			return fmt.Errorf("%s says that version %s was applied before version %d", VersionsTable, next, h.applied[len(h.applied)-1])
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
	found, err := m.metadata.read(ctx, []string{version})
	if err != nil {
		return record{}, false, err
	}
	r, ok := found[version]
	if ok {
		h.records[version] = r
	}
	return r, ok, nil
}

// validate reports applied files that are gone or were changed.
func (h history) validate(files []File) error {
	byVersion := map[int]File{}
	for _, file := range files {
		byVersion[file.Version] = file
	}
	var errs []error
	for _, version := range h.applied {
		r := h.records[strconv.Itoa(version)]
		file, ok := byVersion[version]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("version %d (%s) was applied, but its file is missing: put it back", version, r.name))
		case file.Checksum != r.checksum:
			errs = append(errs, fmt.Errorf("%s was changed after it was applied (checksum then %s, now %s): undo the change and put it into a new file",
				file.Path, r.checksum, file.Checksum))
		}
	}
	return errors.Join(errs...)
}

// Status is what Info says about a server's migrations.
type Status struct {
	// Initialized reports whether the metadata exists.
	Initialized bool
	// Current is the version that ran last, whether it succeeded or not; 0
	// when none did.
	Current int
	// Migrations has one entry per file, ordered by version.
	Migrations []Migration
}

// Migration is one file and what became of it.
type Migration struct {
	File
	State State
	// Previous is the version that was applied before it: a number or
	// "<none>"; "" for a pending one.
	Previous string
	// StartedOn and CompletedOn are in UTC, zero when it did not.
	StartedOn   time.Time
	CompletedOn time.Time
	// ErrorReason says why it failed, "" when it did not.
	ErrorReason string
	// AppliedChecksum is the checksum it ran with, "" for a pending one.
	AppliedChecksum string
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
	status := Status{Initialized: h.initialized}
	if current, ok := h.records[currentKey]; ok {
		if status.Current, err = strconv.Atoi(current.version); err != nil {
			return status, fmt.Errorf("%s has %q as its current version, which is none", VersionsTable, current.version)
		}
	}
	for _, file := range files {
		migration := Migration{File: file, State: Pending}
		if r, ok := h.records[strconv.Itoa(file.Version)]; ok {
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
	return status, nil
}

// Validate reports whether every file that was applied is there and has the
// content it was applied with, and returns how many were.
func (m *Migrator) Validate(ctx context.Context) (int, error) {
	files, err := Load(m.fsys)
	if err != nil {
		return 0, err
	}
	h, err := m.history(ctx, files)
	if err != nil {
		return 0, err
	}
	return len(h.applied), h.validate(files)
}

package migrate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// UndoOptions say what Undo undoes.
type UndoOptions struct {
	// Until is the version that stays, with those before it; the later ones are
	// undone. 0 with All means that none stays; otherwise only the latest is
	// undone.
	Until int
	// All undoes every version.
	All bool
	// DryRun checks the files and reports what would run, and changes nothing.
	DryRun bool
	// SkipValidation runs statements that Config.NewEngine's engine would refuse.
	SkipValidation bool
}

// Undo takes back the latest versions by their undo files (U000001__name.sql),
// latest first. Afterwards their migrations are pending again. Nothing runs
// unless every version to undo has such a file.
//
// Like a migration, an undo file that failed or was cut off goes on with the
// statement it came to; until then, Apply refuses to run.
func (m *Migrator) Undo(ctx context.Context, options UndoOptions) (Report, error) {
	if options.Until < 0 || options.Until > MaxVersion || options.All && options.Until != 0 {
		return Report{}, fmt.Errorf("say what to undo: the latest version, those after a version between 1 and %d, or all", MaxVersion)
	}
	files, err := Load(m.fsys)
	if err != nil {
		return Report{}, err
	}
	if !options.DryRun {
		held, release, err := m.lock(ctx)
		if err != nil {
			return Report{}, err
		}
		defer release()
		ctx = held
	}
	h, err := m.history(ctx, files)
	if err != nil {
		return Report{}, err
	}
	report := Report{Previous: h.latest, Current: h.latest}
	if !h.initialized || h.latest == 0 {
		return report, nil
	}
	versions, err := h.toUndo(options)
	if err != nil || len(versions) == 0 {
		return report, err
	}
	selected, err := m.undoFiles(versions)
	if err != nil {
		return report, err
	}
	planned, err := m.prepareFiles(ctx, selected)
	if err != nil {
		return report, err
	}
	if options.DryRun {
		for _, file := range planned {
			report.Applied = append(report.Applied, file.report(0))
		}
		return report, nil
	}
	if err := m.journal.ensure(ctx); err != nil {
		return report, err
	}
	half, err := m.halfUndone(ctx, h)
	if err != nil {
		return report, err
	}
	// A file that was begun would be refused for what it has done already.
	if half == nil && !options.SkipValidation {
		if report.NotValidated, err = m.validate(ctx, planned); err != nil {
			return report, err
		}
	}
	for i, file := range planned {
		if err := m.undo(ctx, file, versions[i], h, &report); err != nil {
			return report, err
		}
	}
	return report, m.awaitQueries(ctx, &report)
}

// toUndo returns the versions that options name, latest first.
func (h history) toUndo(options UndoOptions) ([]int, error) {
	if options.Until == 0 && !options.All {
		return h.applied[:1], nil
	}
	var versions []int
	for _, version := range h.applied {
		if version == options.Until {
			return versions, nil
		}
		versions = append(versions, version)
	}
	if options.All {
		return versions, nil
	}
	return nil, fmt.Errorf("version %d was not applied, so that it cannot be what stays", options.Until)
}

// undoFiles returns the undo files of versions.
func (m *Migrator) undoFiles(versions []int) ([]File, error) {
	all, err := LoadUndo(m.fsys)
	if err != nil {
		return nil, err
	}
	byVersion := map[int]File{}
	for _, file := range all {
		byVersion[file.Version] = file
	}
	var files []File
	var missing []string
	for _, version := range versions {
		file, ok := byVersion[version]
		if !ok {
			missing = append(missing, fmt.Sprintf("U%06d__name.sql", version))
		}
		files = append(files, file)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("nothing was undone: there is no %s: write what takes the version back into it", strings.Join(missing, ", "))
	}
	return files, nil
}

// undo runs one undo file and makes its version pending.
func (m *Migrator) undo(ctx context.Context, file plannedFile, version int, h history, report *Report) error {
	began := m.now()
	r := h.records[strconv.Itoa(version)]
	p := progress{key: undoPrefix + r.version}
	known, err := m.journal.readProgress(ctx, []string{p.key})
	if err != nil {
		return err
	}
	if before, ok := known[p.key]; ok && before.startedOn == r.startedOn && before.state != progressDone {
		if p, err = m.settle(ctx, file, before); err != nil {
			return err
		}
	}
	p.startedOn, p.sha256 = r.startedOn, sha256Of(file.Content)
	applied := file.report(0)
	applied.Resumed = len(p.done)
	m.observe(Event{File: file.File, Index: len(p.done), Total: len(file.steps)})
	err = m.runSteps(ctx, file, p, &applied)
	m.observe(Event{File: file.File, Index: len(file.steps), Total: len(file.steps), Done: true, Err: err})
	if err != nil {
		return err
	}
	undone := r
	undone.state, undone.errorReason = Pending, noReason
	current := record{version: noneVersion, name: "", state: Pending, previous: noneVersion, errorReason: noReason}
	if r.previous != noneVersion {
		current = h.records[r.previous]
	}
	rows := []row{current.row(currentKey), undone.row(undone.version)}
	if err := m.metadata.write(ctx, rows...); err != nil {
		return fmt.Errorf("noting that version %d was undone: %w", version, err)
	}
	if err := m.metadata.confirm(ctx, rows...); err != nil {
		return fmt.Errorf("waiting until %s shows that version %d was undone: %w", m.metadata.table, version, err)
	}
	report.Current = 0
	if r.previous != noneVersion {
		if report.Current, err = strconv.Atoi(r.previous); err != nil {
			return fmt.Errorf("%s has a row for version %q, which is no version", m.metadata.table, r.previous)
		}
	}
	applied.Took = m.now().Sub(began)
	report.Applied = append(report.Applied, applied)
	return nil
}

// halfUndone returns the progress of an undo file of the latest version that was
// begun, and not ended; nil when there is none.
func (m *Migrator) halfUndone(ctx context.Context, h history) (*progress, error) {
	if h.latest == 0 {
		return nil, nil
	}
	key := undoPrefix + strconv.Itoa(h.latest)
	known, err := m.journal.readProgress(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	p, ok := known[key]
	if !ok || p.startedOn != h.records[strconv.Itoa(h.latest)].startedOn || len(p.done) == 0 && p.underway == nil {
		return nil, nil
	}
	return &p, nil
}

// refuseHalfUndone returns an error when the latest version was undone in part.
func (m *Migrator) refuseHalfUndone(ctx context.Context, h history) error {
	p, err := m.halfUndone(ctx, h)
	if err != nil || p == nil {
		return err
	}
	return fmt.Errorf("version %d was undone in part (%d statements): end that with `migrate undo` first", h.latest, len(p.done))
}

package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Repair is what is done about a version that cannot simply go on.
type Repair string

// The repairs.
const (
	// RepairRestart makes a file that failed or was cut off run from its start.
	RepairRestart Repair = "restart"
	// RepairDone says that the statement of which that was not known was carried
	// out.
	RepairDone Repair = "done"
	// RepairAgain says that it was not.
	RepairAgain Repair = "again"
	// RepairAccept takes what an applied file holds now for what was applied.
	RepairAccept Repair = "accept"
)

// Problem is a version that is not as it should be.
type Problem struct {
	Version int    `json:"version"`
	Path    string `json:"path,omitempty"`
	State   State  `json:"state"`
	// What says what is wrong, Advice what can be done.
	What   string `json:"what"`
	Advice string `json:"advice"`
	// Resumption is that of a file that failed or was cut off.
	Resumption *Resumption `json:"resumption,omitempty"`
	// Diff is that of an applied file that was changed.
	Diff string `json:"diff,omitempty"`
}

// Problems returns the versions that a Repair may be for. It changes nothing.
func (m *Migrator) Problems(ctx context.Context) ([]Problem, error) {
	files, err := Load(m.fsys)
	if err != nil {
		return nil, err
	}
	status, err := m.Info(ctx)
	if err != nil {
		return nil, err
	}
	problems := []Problem{}
	for _, migration := range status.Migrations {
		p := Problem{Version: migration.Version, Path: migration.Path, State: migration.State, Resumption: migration.Resumption}
		switch migration.State {
		case Running:
			p.What = "it was cut off, or another migrator is at it"
		case Failed:
			p.What = migration.ErrorReason
		default:
			continue
		}
		p.Advice = p.advice()
		problems = append(problems, p)
	}
	h, err := m.history(ctx, files)
	if err != nil {
		return nil, err
	}
	for _, e := range HistoryErrors(m.validateHistory(ctx, h, files)) {
		problem := Problem{Version: e.Version, Path: e.File, State: Migrated, What: "it was changed after it was applied", Diff: e.Diff,
			Advice: fmt.Sprintf("undo the change, or take it for what was applied by `migrate repair %d --accept`", e.Version)}
		if e.File == "" {
			problem.What, problem.Advice = "its file is missing", "put the file back"
		}
		problems = append(problems, problem)
	}
	return problems, nil
}

func (p Problem) advice() string {
	if p.Resumption == nil {
		return "repair the file and run `migrate apply`, which runs it from its start"
	}
	text := fmt.Sprintf("run `migrate apply`, which goes on after the first %d statements, or `migrate repair %d --restart` first to run all of them again",
		p.Resumption.Done, p.Version)
	if p.Resumption.Uncertain != "" {
		text += fmt.Sprintf("; if it cannot find out about the next one, say so by `migrate repair %d --done` or `--again`", p.Version)
	}
	return text
}

// Repair repairs a version.
func (m *Migrator) Repair(ctx context.Context, version int, repair Repair) error {
	files, err := Load(m.fsys)
	if err != nil {
		return err
	}
	ctx, release, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	h, err := m.history(ctx, files)
	if err != nil {
		return err
	}
	if !h.initialized {
		return ErrNotInitialized
	}
	r, ok, err := m.record(ctx, &h, strconv.Itoa(version))
	switch {
	case err != nil:
		return err
	case !ok || r.state == Pending:
		return fmt.Errorf("version %d was never begun: there is nothing to repair", version)
	}
	if err := m.journal.ensure(ctx); err != nil {
		return err
	}
	if repair == RepairAccept {
		return m.accept(ctx, files, h, version, r)
	}
	return m.repairProgress(ctx, h, version, r, repair)
}

// accept takes a file as it is for what was applied.
func (m *Migrator) accept(ctx context.Context, files []File, h history, version int, r record) error {
	if r.state != Migrated {
		return fmt.Errorf("version %d is %s: only a version that was applied can be accepted as it is", version, r.state)
	}
	for _, file := range files {
		if file.Version != version {
			continue
		}
		r.checksum, r.name = file.Checksum, file.Name
		if err := m.journal.keepText(ctx, r.version, file.Content, milliseconds(m.now())); err != nil {
			return err
		}
		rows := []row{r.row(r.version)}
		if h.records[currentKey].version == r.version {
			rows = append(rows, r.row(currentKey))
		}
		if err := m.metadata.write(ctx, rows...); err != nil {
			return fmt.Errorf("noting the checksum of %s: %w", file.Path, err)
		}
		return m.metadata.confirm(ctx, rows...)
	}
	return fmt.Errorf("version %d has no file: put it back", version)
}

// repairProgress repairs a file that failed or was cut off, or the undo file of
// one that was applied.
func (m *Migrator) repairProgress(ctx context.Context, h history, version int, r record, repair Repair) error {
	key := r.version
	if r.state == Migrated {
		half, err := m.halfUndone(ctx, h)
		if err != nil {
			return err
		}
		if half == nil || version != h.latest {
			return fmt.Errorf("version %d was applied: there is nothing to repair but a change of its file (--accept)", version)
		}
		key = half.key
	}
	known, err := m.journal.readProgress(ctx, []string{key})
	if err != nil {
		return err
	}
	p, ok := known[key]
	if !ok || p.startedOn != r.startedOn {
		p = progress{key: key, startedOn: r.startedOn}
	}
	switch repair {
	case RepairRestart:
		p.done, p.underway = nil, nil
	case RepairDone, RepairAgain:
		if p.underway == nil {
			return fmt.Errorf("version %d has no statement of which it is not known whether it was carried out", version)
		}
		if repair == RepairDone {
			p.done = append(p.done, p.underway.Fingerprint)
		}
		p.underway = nil
	default:
		return fmt.Errorf("%q is no repair", repair)
	}
	p.state, p.updatedOn = progressStopped, milliseconds(m.now())
	changed, err := p.row()
	if err == nil {
		err = errors.Join(m.journal.note(ctx, p), m.journal.confirm(ctx, changed))
	}
	if err != nil || r.state != Running {
		return err
	}
	r.state, r.completedOn, r.errorReason = Failed, milliseconds(m.now()), "it was cut off, and repaired ("+string(repair)+")"
	if err := m.metadata.note(ctx, r); err != nil {
		return err
	}
	return m.metadata.await(ctx, r)
}

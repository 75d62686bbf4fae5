package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// run applies files, those that were begun from where they were left, and notes
// in report what it has done.
func (m *Migrator) run(ctx context.Context, files []plannedFile, begun map[int]progress, report *Report) error {
	var last record
	for _, file := range files {
		began := m.now()
		r := m.begin(file.File, report.Current, began)
		p := begun[file.Version]
		p.key = r.version
		resumed := len(p.done)
		if p.startedOn != "" {
			r.startedOn = p.startedOn // what was begun goes on
		}
		if err := m.metadata.note(ctx, r); err != nil {
			return err
		}
		if err := m.journal.keepText(ctx, p.key, file.Content, r.startedOn); err != nil {
			return m.fail(ctx, r, err)
		}
		p.startedOn, p.sha256 = r.startedOn, sha256Of(file.Content)
		applied := file.report(0)
		applied.Resumed = resumed
		m.observe(Event{File: file.File, Index: resumed, Total: len(file.steps)})
		err := m.runSteps(ctx, file, p, &applied)
		m.observe(Event{File: file.File, Index: len(file.steps), Total: len(file.steps), Done: true, Err: err})
		if err != nil {
			return m.fail(ctx, r, err)
		}
		r.state = Migrated
		r.completedOn = milliseconds(m.now())
		if err := m.metadata.note(ctx, r); err != nil {
			return err
		}
		last = r
		report.Current = file.Version
		applied.Took = m.now().Sub(began)
		report.Applied = append(report.Applied, applied)
	}
	if err := m.metadata.await(ctx, last); err != nil {
		return err
	}
	return m.awaitQueries(ctx, report)
}

// begun returns, by their versions, from where files go on of which an attempt
// was cut off or failed.
func (m *Migrator) begun(ctx context.Context, files []plannedFile, h history) (map[int]progress, error) {
	var keys []string
	for _, file := range files {
		key := strconv.Itoa(file.Version)
		if state := h.records[key].state; state == Running || state == Failed {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	if there, err := m.journal.exists(ctx); err != nil || !there {
		return nil, err
	}
	known, err := m.journal.readProgress(ctx, keys)
	if err != nil {
		return nil, err
	}
	begun := map[int]progress{}
	for _, file := range files {
		key := strconv.Itoa(file.Version)
		// Progress of another attempt, by ksql-migrations say, tells nothing.
		if p, ok := known[key]; ok && p.startedOn == h.records[key].startedOn {
			if begun[file.Version], err = m.settle(ctx, file, p); err != nil {
				return nil, err
			}
		}
	}
	return begun, nil
}

// left returns files without the statements that were carried out.
func left(files []plannedFile, begun map[int]progress) []plannedFile {
	rest := slices.Clone(files)
	for i := range rest {
		rest[i].steps = rest[i].steps[len(begun[rest[i].Version].done):]
	}
	return rest
}

// settle returns the progress from which a file that was begun goes on.
func (m *Migrator) settle(ctx context.Context, file plannedFile, p progress) (progress, error) {
	done, err := carriedOutSteps(file, p)
	if err != nil {
		return p, err
	}
	u := p.underway
	p.done, p.underway = p.done[:done:done], nil
	if u == nil {
		return p, nil
	}
	isNext := done < len(file.steps) && file.steps[done].fingerprint() == u.Fingerprint
	answer, err := m.probe(ctx, *u)
	switch {
	case err != nil:
		return p, err
	case answer == carriedOut && isNext:
		p.done = append(p.done, u.Fingerprint)
	case answer == unknown && isNext:
		return p, &ResumeError{File: file.Path, Version: file.Version, Statement: u.Text, Reason: fmt.Sprintf(
			"it is not known whether this statement was carried out: %s: look, and then run `migrate repair %d --done` if it was, or `migrate repair %d --again` if it was not",
			u.Text, file.Version, file.Version)}
	}
	return p, nil
}

// runSteps carries out what is left of a file and notes each statement before it
// is sent. applied gets what the statements brought.
func (m *Migrator) runSteps(ctx context.Context, file plannedFile, p progress, applied *AppliedFile) error {
	for i := len(p.done); i < len(file.steps); i++ {
		s := file.steps[i]
		failed := func(err error) error {
			return &FileError{File: file.Path, Line: s.line, Col: s.col, Statement: s.text, Ran: true, Err: err}
		}
		u := underway{Fingerprint: s.fingerprint(), Text: s.text}
		if !harmlessAgain(s.text) {
			var err error
			if u.Before, err = m.standing(ctx, s.text); err != nil {
				return failed(m.stopped(ctx, p, err))
			}
		}
		p.state, p.underway, p.updatedOn = progressRunning, &u, milliseconds(m.now())
		if err := m.journal.note(ctx, p); err != nil {
			return failed(err)
		}
		m.observe(Event{File: file.File, Statement: s.text, Effect: effectOf(s.text), Line: s.line, Index: i, Total: len(file.steps)})
		out, err := m.carryOut(ctx, s, u)
		if err != nil {
			if isDefinite(err) {
				p.underway = nil
				err = m.stopped(ctx, p, err)
			}
			return failed(err)
		}
		applied.queries = append(applied.queries, out.queries...)
		for _, warning := range out.warnings {
			applied.Warnings = append(applied.Warnings, fmt.Sprintf("line %d: %s", s.line, warning))
		}
		p.done = append(p.done, u.Fingerprint)
	}
	p.state, p.underway, p.updatedOn = progressDone, nil, milliseconds(m.now())
	if err := m.journal.note(ctx, p); err != nil {
		return &FileError{File: file.Path, Ran: true, Err: err}
	}
	return nil
}

// stopped notes that nothing is underway, also when ctx has ended, and returns
// cause.
func (m *Migrator) stopped(ctx context.Context, p progress, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	p.state, p.underway, p.updatedOn = progressStopped, nil, milliseconds(m.now())
	if err := m.journal.note(ctx, p); err != nil && !errors.Is(err, ErrLockLost) {
		return errors.Join(cause, err)
	}
	return cause
}

// resendings is how often a statement is sent again whose answer was lost.
const resendings = 3

// carryOut runs a statement. When its answer is lost, it finds out whether the
// server carried it out, and sends it again only if not.
func (m *Migrator) carryOut(ctx context.Context, s step, u underway) (outcome, error) {
	out, err := execute(ctx, m.client, s.text, s.properties)
	for again := 0; again < resendings && err != nil && !isDefinite(err) && ctx.Err() == nil; again++ {
		lost := err
		var answer certainty
		if err := retry(ctx, ksql.IsTransient, func() (err error) {
			answer, err = m.probe(ctx, u)
			return err
		}); err != nil {
			return out, errors.Join(lost, err)
		}
		m.log.Warn("the answer to a statement was lost", "statement", s.text, "carried out", answer == carriedOut, "error", lost)
		switch answer {
		case unknown:
			return out, fmt.Errorf("it is not known whether it was carried out: %w", lost)
		case carriedOut:
			return out, nil
		}
		out, err = execute(ctx, m.client, s.text, s.properties)
		if err == nil || !isDefinite(err) {
			continue
		}
		// The first one may have been slow, so that this one came too late.
		if answer, probeErr := m.probe(ctx, u); probeErr == nil && answer == carriedOut {
			return out, nil
		}
	}
	return out, err
}

// begin returns the record of a file that starts to run.
func (m *Migrator) begin(file File, latest int, at time.Time) record {
	previous := noneVersion
	if latest > 0 {
		previous = strconv.Itoa(latest)
	}
	return record{
		version:     strconv.Itoa(file.Version),
		name:        file.Name,
		state:       Running,
		checksum:    file.Checksum,
		startedOn:   milliseconds(at),
		previous:    previous,
		errorReason: noReason,
	}
}

// refuse notes that a file cannot run, and returns why.
func (m *Migrator) refuse(ctx context.Context, file File, h history, cause error) error {
	r := m.begin(file, h.latest, m.now())
	if before, ok := h.records[r.version]; ok && (before.state == Running || before.state == Failed) {
		// What it has done so far still counts.
		r.startedOn = before.startedOn
	}
	if err := m.metadata.note(ctx, r); err != nil {
		return errors.Join(cause, err)
	}
	return m.fail(ctx, r, cause)
}

// noteTimeout bounds how long noting a failure may take once ctx has ended.
const noteTimeout = 5 * time.Second

// fail notes that a file has failed, also when ctx is why, and returns cause. Without
// the lock it notes nothing, since another may have gone on with the file.
func (m *Migrator) fail(ctx context.Context, r record, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	r.state = Failed
	r.completedOn = milliseconds(m.now())
	r.errorReason = cause.Error()
	if err := m.metadata.note(ctx, r); err != nil {
		if errors.Is(err, ErrLockLost) {
			return fmt.Errorf("%w (`migrate apply` goes on where this one was stopped)", cause)
		}
		return errors.Join(cause, err)
	}
	if err := m.metadata.await(ctx, r); err != nil {
		m.log.Warn("the failure is noted, but cannot be read back yet", "version", r.version, "error", err)
	}
	return cause
}

// StalledQuery is a query of an applied file that does not run.
type StalledQuery struct {
	ID    string   `json:"id"`
	State string   `json:"state"`
	Sinks []string `json:"sinks,omitempty"`
	// Errors are what the query has met, oldest first.
	Errors []string `json:"errors,omitempty"`
}

// queryPoll is how long awaitQueries waits between two questions.
const queryPoll = 100 * time.Millisecond

// awaitQueries waits until the queries that the applied files started are
// running, and notes in report those that are not after Config.QueryWait.
func (m *Migrator) awaitQueries(ctx context.Context, report *Report) error {
	ids, sinks := map[string]bool{}, map[string]bool{}
	for _, file := range report.Applied {
		for _, id := range file.queries {
			ids[id] = true
		}
		for _, text := range file.Statements {
			if effect := effectOf(text); effect.Query {
				sinks[effect.Name] = true
			}
		}
	}
	if len(ids) == 0 && len(sinks) == 0 || m.config.QueryWait < 0 {
		return nil
	}
	limit := m.config.QueryWait
	if limit == 0 {
		limit = DefaultQueryWait
	}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	waited := false
	defer func() {
		if waited {
			m.observe(Event{Waited: true})
		}
	}()
	for {
		queries, err := m.client.ListQueries(ctx)
		if err != nil {
			return fmt.Errorf("waiting until the new queries run: %w", err)
		}
		report.NotRunning = nil
		for _, q := range queries {
			own := ids[q.ID] || slices.ContainsFunc(q.Sinks, func(sink string) bool { return sinks[sink] })
			if own && q.QueryType == "PERSISTENT" && q.State != "RUNNING" && q.State != "PAUSED" {
				report.NotRunning = append(report.NotRunning, StalledQuery{ID: q.ID, State: q.State, Sinks: q.Sinks})
			}
		}
		if len(report.NotRunning) == 0 {
			return nil
		}
		waited = true
		m.observe(Event{Waiting: len(report.NotRunning)})
		again := time.NewTimer(queryPoll)
		select {
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("waiting until the new queries run: %w", context.Cause(ctx))
		case <-deadline.C:
			again.Stop()
			return m.explainStalled(ctx, report)
		case <-again.C:
		}
	}
}

func (m *Migrator) explainStalled(ctx context.Context, report *Report) error {
	for i := range report.NotRunning {
		q := &report.NotRunning[i]
		var err error
		if q.Errors, err = m.client.QueryErrors(ctx, q.ID); err != nil {
			return err
		}
	}
	return nil
}

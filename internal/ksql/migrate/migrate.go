package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Config says what a Migrator works with.
type Config struct {
	// Client talks to the server that is migrated.
	Client *ksql.Client
	// FS has the migration files and variables.properties at its root.
	FS fs.FS
	// Variables are values that go before those of variables.properties.
	Variables map[string]string
	// Resolver returns the schema registry's id of a subject's latest schema.
	// Nil makes variables that need it an error.
	Resolver func(ctx context.Context, subject string) (int, error)
	// LookupEnv reads environment variables. Nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// NewEngine makes an engine in memory that has these topics, with their
	// numbers of partitions, and nothing else. Nil means that nothing is
	// validated.
	NewEngine func(ctx context.Context, topics map[string]int) (Engine, error)
	// Lock waits until no other migrator changes the server. The context that it
	// returns ends when the lock is lost; release gives it back. Nil means that
	// nothing keeps migrators apart.
	Lock func(ctx context.Context) (held context.Context, release func(), err error)
	// Replicas is the replication factor of the metadata's topics. 0 means 1.
	Replicas int
	// Observe is told what happens while it happens. Nil means nobody is.
	Observe func(Event)
	// Logger gets what an error could not be told. Nil means none.
	Logger *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Event is a step of Apply.
type Event struct {
	File File
	// Statement is the statement that is about to run, "" when the file is
	// about to begin or has ended.
	Statement string
	// Done reports that the file has ended, with Err when it failed.
	Done bool
	Err  error
}

// Migrator applies migrations to one ksqlDB server. Its methods may be called
// one after the other; Config.Lock keeps two that apply at the same time apart.
type Migrator struct {
	client   *ksql.Client
	fsys     fs.FS
	config   Config
	metadata metadata
	observe  func(Event)
	log      *slog.Logger
	now      func() time.Time
}

// New returns a Migrator. It reads no file and asks no server.
func New(config Config) (*Migrator, error) {
	if config.Client == nil {
		return nil, errors.New("making a migrator: it needs a ksqlDB client")
	}
	if config.FS == nil {
		return nil, errors.New("making a migrator: it needs the migration files")
	}
	if config.Replicas < 0 {
		return nil, fmt.Errorf("making a migrator: %d replicas", config.Replicas)
	}
	if config.Replicas == 0 {
		config.Replicas = 1
	}
	m := &Migrator{
		client:   config.Client,
		fsys:     config.FS,
		config:   config,
		metadata: metadata{client: config.Client, replicas: config.Replicas},
		observe:  config.Observe,
		log:      config.Logger,
		now:      config.Now,
	}
	if m.observe == nil {
		m.observe = func(Event) {}
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.now == nil {
		m.now = time.Now
	}
	return m, nil
}

// ApplyOptions say which files Apply applies: exactly one of All, Next, Until
// and Version is given.
type ApplyOptions struct {
	// All applies every file above the latest version that was applied.
	All bool
	// Next applies the first of them.
	Next bool
	// Until applies them up to this version.
	Until int
	// Version applies this version only, leaving out lower ones for good.
	Version int
	// SkipValidation runs statements that Config.NewEngine's engine would refuse.
	SkipValidation bool
	// DryRun checks the files and reports what would run, and changes nothing.
	DryRun bool
}

func (o ApplyOptions) validate() error {
	given := 0
	for _, is := range []bool{o.All, o.Next, o.Until != 0, o.Version != 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("say which migrations to apply: --all, --next, --until N or --version N (one of them)")
	}
	if o.Until < 0 || o.Version < 0 || o.Until > MaxVersion || o.Version > MaxVersion {
		return fmt.Errorf("a version is between 1 and %d", MaxVersion)
	}
	return nil
}

// Report says what Apply did.
type Report struct {
	// Previous is the latest version that was applied before, 0 when none was.
	Previous int
	// Current is the latest version that is applied now, 0 when none is.
	Current int
	// Applied are the files that were applied, or would be in a dry run.
	Applied []AppliedFile
	// NotValidated says what Config.NewEngine's engine could not judge before it
	// ran, and why.
	NotValidated []string
}

// AppliedFile is one file of a Report.
type AppliedFile struct {
	File
	// Statements are those that were sent, their variables filled in.
	Statements []string
	// Took is how long the file ran; 0 in a dry run.
	Took time.Duration
}

// plannedFile is a file with the statements it comes to.
type plannedFile struct {
	File
	steps []step
}

// Apply brings the server to a later version. The metadata is made on first
// use. A failure is a *FileError when a file is to blame; the Report then has
// what was applied before it.
func (m *Migrator) Apply(ctx context.Context, options ApplyOptions) (Report, error) {
	if err := options.validate(); err != nil {
		return Report{}, err
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
	history, err := m.history(ctx, files)
	if err != nil {
		return Report{}, err
	}
	report := Report{Previous: history.latest, Current: history.latest}
	if err := history.validate(files); err != nil {
		return report, fmt.Errorf("checking what was applied before: %w", err)
	}
	selected, err := selectFiles(files, history.latest, options)
	if err != nil || len(selected) == 0 {
		return report, err
	}
	planned, planErr := m.prepareFiles(ctx, selected)
	if options.DryRun {
		for _, file := range planned {
			report.Applied = append(report.Applied, file.report(0))
		}
		return report, planErr
	}
	if planErr == nil && !options.SkipValidation {
		if report.NotValidated, err = m.validate(ctx, planned); err != nil {
			return report, err
		}
	}
	if !history.initialized && (planErr == nil || len(planned) == 0) {
		if err := m.metadata.initialize(ctx); err != nil {
			return report, fmt.Errorf("making the migrations metadata: %w", err)
		}
	}
	if planErr != nil {
		if len(planned) == 0 {
			// It is this file's turn: that it cannot run is its state.
			return report, m.refuse(ctx, selected[0], history.latest, planErr)
		}
		return report, planErr
	}
	return report, m.run(ctx, planned, &report)
}

func (m *Migrator) lock(ctx context.Context) (held context.Context, release func(), err error) {
	if m.config.Lock == nil {
		return ctx, func() {}, nil
	}
	return m.config.Lock(ctx)
}

// prepareFiles prepares files up to the first that cannot be.
func (m *Migrator) prepareFiles(ctx context.Context, files []File) ([]plannedFile, error) {
	common, err := NewVariables(m.config)
	if err != nil {
		return nil, err
	}
	var planned []plannedFile
	for _, file := range files {
		steps, err := prepare(ctx, file, common)
		if err != nil {
			return planned, err
		}
		planned = append(planned, plannedFile{File: file, steps: steps})
	}
	return planned, nil
}

func (f plannedFile) report(took time.Duration) AppliedFile {
	applied := AppliedFile{File: f.File, Took: took, Statements: make([]string, len(f.steps))}
	for i, s := range f.steps {
		applied.Statements[i] = s.text
	}
	return applied
}

// run applies files and notes in report what it has done.
func (m *Migrator) run(ctx context.Context, files []plannedFile, report *Report) error {
	var last record
	for _, file := range files {
		began := m.now()
		r := m.begin(file.File, report.Current, began)
		if err := m.metadata.write(ctx, r); err != nil {
			return err
		}
		m.observe(Event{File: file.File})
		err := m.runSteps(ctx, file)
		m.observe(Event{File: file.File, Done: true, Err: err})
		if err != nil {
			return m.fail(ctx, r, err)
		}
		r.state = Migrated
		r.completedOn = milliseconds(m.now())
		if err := m.metadata.write(ctx, r); err != nil {
			return err
		}
		last = r
		report.Current = file.Version
		report.Applied = append(report.Applied, file.report(m.now().Sub(began)))
	}
	return m.metadata.confirm(ctx, last)
}

func (m *Migrator) runSteps(ctx context.Context, file plannedFile) error {
	for _, s := range file.steps {
		m.observe(Event{File: file.File, Statement: s.text})
		if err := execute(ctx, m.client, s.text, s.properties); err != nil {
			return &FileError{File: file.Path, Line: s.line, Col: s.col, Statement: s.text, Err: err}
		}
	}
	return nil
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
func (m *Migrator) refuse(ctx context.Context, file File, latest int, cause error) error {
	r := m.begin(file, latest, m.now())
	if err := m.metadata.write(ctx, r); err != nil {
		return errors.Join(cause, err)
	}
	return m.fail(ctx, r, cause)
}

// noteTimeout bounds how long noting a failure may take once ctx has ended.
const noteTimeout = 5 * time.Second

// fail notes that a file has failed, also when ctx is why, and returns cause.
func (m *Migrator) fail(ctx context.Context, r record, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	r.state = Failed
	r.completedOn = milliseconds(m.now())
	r.errorReason = cause.Error()
	if err := m.metadata.write(ctx, r); err != nil {
		return errors.Join(cause, err)
	}
	if err := m.metadata.confirm(ctx, r); err != nil {
		m.log.Warn("the failure is noted, but cannot be read back yet", "version", r.version, "error", err)
	}
	return cause
}

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// selectFiles returns the files that options name and that are above latest.
func selectFiles(files []File, latest int, options ApplyOptions) ([]File, error) {
	wanted := options.Until + options.Version
	if wanted != 0 && !hasVersion(files, wanted) {
		return nil, fmt.Errorf("there is no migration file of version %d", wanted)
	}
	if options.Version != 0 && options.Version <= latest {
		return nil, fmt.Errorf("version %d cannot be applied: version %d, which comes after it, is already", options.Version, latest)
	}
	var selected []File
	for _, file := range files {
		switch {
		case file.Version <= latest,
			options.Until != 0 && file.Version > options.Until,
			options.Version != 0 && file.Version != options.Version,
			options.Next && len(selected) == 1:
			continue
		}
		selected = append(selected, file)
	}
	return selected, nil
}

func hasVersion(files []File, version int) bool {
	for _, file := range files {
		if file.Version == version {
			return true
		}
	}
	return false
}

// Initialize makes the metadata stream and table. That they exist is an error.
func (m *Migrator) Initialize(ctx context.Context) error {
	ctx, release, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	there, err := m.metadata.initialized(ctx)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("the migrations metadata exists already: %s and %s", EventsStream, VersionsTable)
	}
	if err := m.metadata.initialize(ctx); err != nil {
		return fmt.Errorf("making the migrations metadata: %w", err)
	}
	return nil
}

// Destroy drops the metadata stream and table with their topics and returns
// which of the two existed. What the migrations created stays. This cannot be
// undone: afterwards no migration counts as applied.
func (m *Migrator) Destroy(ctx context.Context) ([]string, error) {
	ctx, release, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	removed, err := m.metadata.destroy(ctx)
	if err != nil {
		return removed, fmt.Errorf("removing the migrations metadata: %w", err)
	}
	return removed, nil
}

package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
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
	// returns ends when the lock is lost, and is a Fence where that can be asked;
	// release gives it back. Nil means that nothing keeps migrators apart.
	Lock func(ctx context.Context) (held context.Context, release func(), err error)
	// Metadata names what keeps the states.
	Metadata Metadata
	// RequireMetadata makes Apply and Info an error where the metadata was not
	// made by Initialize before, as ksql-migrations has it.
	RequireMetadata bool
	// QueryWait is how long Apply waits until the queries that it started are
	// running. 0 means DefaultQueryWait; a negative one, that it does not.
	QueryWait time.Duration
	// Observe is told what happens while it happens. Nil means nobody is.
	Observe func(Event)
	// Logger gets what an error could not be told. Nil means none.
	Logger *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// DefaultQueryWait is how long Apply waits until the queries that it started are
// running, unless Config.QueryWait says otherwise.
const DefaultQueryWait = 30 * time.Second

// Event is a step of Apply or Undo.
type Event struct {
	File File
	// Statement is the statement that is about to run, "" when the file is
	// about to begin or has ended.
	Statement string
	// Effect is what Statement does.
	Effect Effect
	// Line is where Statement begins in the file, from 1.
	Line int
	// Index is how many of the file's Total statements were carried out.
	Index, Total int
	// Waiting is how many queries are waited for; the rest is then zero. Waited says
	// that the wait has ended, whether they run or not.
	Waiting int
	Waited  bool
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
	journal  journal
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
	names, err := config.Metadata.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("making a migrator: %w", err)
	}
	m := &Migrator{
		client: config.Client,
		fsys:   config.FS,
		config: config,
		metadata: metadata{ledger{
			client: config.Client, stream: names.Stream, table: names.Table,
			streamTopic: names.StreamTopic, tableTopic: names.TableTopic, replicas: names.Replicas, columns: recordColumns,
		}},
		journal: newJournal(config.Client, names),
		observe: config.Observe,
		log:     config.Logger,
		now:     config.Now,
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
	// NotRunning are queries of the applied files that were not running after
	// Config.QueryWait.
	NotRunning []StalledQuery
	// NotValidated says what Config.NewEngine's engine could not judge before it
	// ran, and why.
	NotValidated []string
}

// AppliedFile is one file of a Report.
type AppliedFile struct {
	File
	// Statements are those that were sent, their variables filled in.
	Statements []string
	// Resumed is how many of them an attempt before had carried out.
	Resumed int
	// Warnings are what the server had to say, each with its line.
	Warnings []string
	// Took is how long the file ran; 0 in a dry run.
	Took time.Duration

	queries []string // ids of the queries that it started
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
	if err := m.mustBeInitialized(history); err != nil {
		return Report{}, err
	}
	report := Report{Previous: history.latest, Current: history.latest}
	if err := m.validateHistory(ctx, history, files); err != nil {
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
	begun, err := m.begun(ctx, planned, history)
	if err != nil {
		return report, err
	}
	if planErr == nil && !options.SkipValidation {
		if report.NotValidated, planErr = m.validate(ctx, left(planned, begun)); planErr != nil {
			var invalid *FileError
			if !errors.As(planErr, &invalid) {
				return report, planErr
			}
			planned = slices.DeleteFunc(planned, func(f plannedFile) bool { return f.Path >= invalid.File })
		}
	}
	if !history.initialized && (planErr == nil || len(planned) == 0) {
		if err := m.metadata.create(ctx); err != nil {
			return report, fmt.Errorf("making the migrations metadata: %w", err)
		}
	}
	if planErr != nil {
		if len(planned) == 0 {
			// It is this file's turn: that it cannot run is its state.
			return report, m.refuse(ctx, selected[0], history, planErr)
		}
		return report, planErr
	}
	if err := m.journal.ensure(ctx); err != nil {
		return report, err
	}
	if err := m.refuseHalfUndone(ctx, history); err != nil {
		return report, err
	}
	return report, m.run(ctx, planned, begun, &report)
}

// ErrNotInitialized says that the metadata has to be made first.
var ErrNotInitialized = errors.New("the migrations metadata does not exist: run `migrate initialize-metadata` first")

func (m *Migrator) mustBeInitialized(h history) error {
	if m.config.RequireMetadata && !h.initialized {
		return ErrNotInitialized
	}
	return nil
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

// MetadataNames returns the names of the streams and tables that Initialize makes.
func (m *Migrator) MetadataNames() []string {
	return []string{m.metadata.stream, m.metadata.table, m.journal.stream, m.journal.table}
}

// Initialize makes the metadata stream and table. That they exist is an error.
func (m *Migrator) Initialize(ctx context.Context) error {
	ctx, release, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	there, err := m.metadata.exists(ctx)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("the migrations metadata exists already: %s and %s", m.metadata.stream, m.metadata.table)
	}
	if err := m.metadata.create(ctx); err != nil {
		return fmt.Errorf("making the migrations metadata: %w", err)
	}
	return m.journal.ensure(ctx)
}

// Destroy drops the streams and tables of metadata and journal with their topics
// and returns which of them existed. What the migrations created stays. This cannot be
// undone: afterwards no migration counts as applied.
func (m *Migrator) Destroy(ctx context.Context) ([]string, error) {
	ctx, release, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var all []string
	for _, l := range []ledger{m.metadata.ledger, m.journal.ledger} {
		removed, err := l.drop(ctx)
		all = append(all, removed...)
		if err != nil {
			return all, fmt.Errorf("removing the migrations metadata: %w", err)
		}
	}
	return all, nil
}

package migrate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/recordings"
)

var (
	rowsPattern = regexp.MustCompile(`\{"row":\{"columns":(\[.*?\])\}\}`)
	keyPattern  = regexp.MustCompile(`version_key = '(\w+)'`)
)

// replay is a server in the state in which the recorded run found the real
// one, that gives its statements the recorded answers.
type replay struct {
	fake       *fakeKsqlDB
	statements map[string]recordings.Exchange // by their text
	describe   map[string]string              // recorded answers, by source
	inserts    []recordings.Exchange          // INSERT VALUES of the migrations
	want       []string                       // what the run did
	got        []string                       // what ours did
}

func newReplay(t *testing.T, run recordings.Run) *replay {
	r := &replay{fake: newFakeKsqlDB(t), statements: map[string]recordings.Exchange{}, describe: map[string]string{}}
	wrote := false
	for _, e := range run.Exchanges() {
		switch e.Path {
		case "/ksql":
			r.addStatement(t, e)
		case "/inserts-stream":
			wrote = true
			r.addInsert(t, e)
		case "/query-stream":
			if !wrote {
				r.addRows(t, e)
			}
		}
	}
	return r
}

func (r *replay) addStatement(t *testing.T, e recordings.Exchange) {
	var request struct {
		KSQL              string         `json:"ksql"`
		StreamsProperties map[string]any `json:"streamsProperties"`
	}
	require.NoError(t, json.Unmarshal([]byte(e.Request), &request))
	text := strings.TrimSpace(request.KSQL)
	switch lower := strings.ToLower(text); {
	case strings.HasPrefix(lower, "describe migration_"):
		source := strings.ToUpper(strings.TrimSuffix(lower[len("describe "):], ";"))
		r.fake.sources[source] = e.Status == "200"
		r.describe[source] = e.Answer
		return
	case strings.HasPrefix(lower, "list "):
		for _, source := range []string{migrate.EventsStream, migrate.VersionsTable} {
			if strings.Contains(e.Answer, `"name":"`+source+`"`) {
				r.fake.sources[source] = true
			}
		}
		return
	case strings.HasPrefix(lower, "describe "):
		return // how the tool turns INSERT VALUES into a row
	case strings.HasPrefix(lower, "create stream migration_events") && e.Status != "200":
		r.fake.sources[migrate.EventsStream], r.fake.sources[migrate.VersionsTable] = true, true
		return
	}
	r.statements[normalize(text)] = e
	r.want = append(r.want, operation(text, request.StreamsProperties))
}

func (r *replay) addInsert(t *testing.T, e recordings.Exchange) {
	lines := strings.Split(strings.TrimSpace(e.Request), "\n")
	require.Len(t, lines, 2)
	var target struct {
		Target string `json:"target"`
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &target))
	if target.Target != migrate.EventsStream {
		r.inserts = append(r.inserts, e)
		r.want = append(r.want, "INSERT VALUES "+strings.Trim(target.Target, "`"))
		return
	}
	var event map[string]string
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &event))
	r.want = append(r.want, eventText(event))
}

// eventText is an event without what differs from run to run: the times, and
// the words in which an error is told.
func eventText(event map[string]string) string {
	completed, failed := event["COMPLETED_ON"] != "", event["ERROR_REASON"] != "N/A"
	return fmt.Sprintf("event %s: version %s (%s) %s after %s, checksum %s, started %v, completed %v, failed %v", event["VERSION_KEY"],
		event["VERSION"], event["NAME"], event["STATE"], event["PREVIOUS"], event["CHECKSUM"], event["STARTED_ON"] != "", completed, failed)
}

func (r *replay) addRows(t *testing.T, e recordings.Exchange) {
	for _, match := range rowsPattern.FindAllStringSubmatch(e.Answer, -1) {
		var values []string
		require.NoError(t, json.Unmarshal([]byte(match[1]), &values))
		if len(values) == 1 {
			r.fake.table["CURRENT"] = map[string]string{"VERSION": values[0]}
			continue
		}
		row := map[string]string{"VERSION": values[0], "CHECKSUM": values[1], "PREVIOUS": values[2], "STATE": values[3],
			"NAME": values[4], "STARTED_ON": values[5], "COMPLETED_ON": values[6], "ERROR_REASON": values[7]}
		if key := keyPattern.FindStringSubmatch(e.Request); key != nil {
			require.Equal(t, key[1], values[0])
		}
		r.fake.table[values[0]] = row
	}
}

// normalize makes texts equal that differ in white space and case only.
func normalize(statement string) string {
	statement = strings.Join(strings.Fields(strings.ToUpper(statement)), " ")
	for _, sign := range []string{"(", ")", ",", "=", ";"} {
		statement = strings.ReplaceAll(statement, " "+sign, sign)
		statement = strings.ReplaceAll(statement, sign+" ", sign)
	}
	return statement
}

func operation(text string, properties map[string]any) string {
	if len(properties) == 0 {
		return normalize(text)
	}
	encoded, err := json.Marshal(properties)
	if err != nil {
		return err.Error()
	}
	return normalize(text) + " with " + string(encoded)
}

var insertValuesPattern = regexp.MustCompile(`(?is)^INSERT INTO (\w+)(?:\s*\([^)]*\))?\s*VALUES`)

// ServeHTTP answers ours as the real server answered the tool.
func (r *replay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.URL.Path != "/ksql" {
		r.fake.Config.Handler.ServeHTTP(w, request)
		return
	}
	var body struct {
		KSQL              string         `json:"ksql"`
		StreamsProperties map[string]any `json:"streamsProperties"`
	}
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		answerError(w, 40000, err.Error(), "")
		return
	}
	statements, err := ksql.Split(body.KSQL)
	if err != nil {
		answerError(w, 40001, err.Error(), "")
		return
	}
	entities := []any{}
	for _, statement := range statements {
		entity, failure := r.exec(statement.Text, body.StreamsProperties)
		if failure != nil {
			w.WriteHeader(failure.HTTPStatus)
			fmt.Fprint(w, failure.Message)
			return
		}
		entities = append(entities, entity...)
	}
	_ = json.NewEncoder(w).Encode(entities)
}

func (r *replay) exec(text string, properties map[string]any) (entities []any, failure *ksql.Error) {
	if strings.Contains(text, "ORDERFLOW_MIGRATION_") || strings.HasPrefix(text, "SHOW ") {
		// What ours asks and keeps besides.
		entity, message := r.fake.execOne(text, properties)
		if message != "" {
			return nil, &ksql.Error{HTTPStatus: 400, Message: `{"@type":"statement_error","error_code":40001,"message":` + strconv.Quote(message) + `}`}
		}
		if entity == nil {
			return nil, nil
		}
		return []any{entity}, nil
	}
	if describePattern.MatchString(text) || insertPattern.MatchString(text) {
		before := len(r.fake.events)
		entity, message := r.fake.execOne(text, properties)
		if len(r.fake.events) > before {
			r.got = append(r.got, eventText(r.fake.events[before]))
			return nil, nil
		}
		if match := describePattern.FindStringSubmatch(text); match != nil && message == "" && r.describe[match[1]] != "" {
			if err := json.Unmarshal([]byte(r.describe[match[1]]), &entities); err != nil {
				return nil, &ksql.Error{HTTPStatus: 500, Message: err.Error()}
			}
			return entities, nil
		}
		if message != "" {
			return nil, &ksql.Error{HTTPStatus: 400, Message: `{"@type":"statement_error","error_code":40001,"message":` + strconv.Quote(message) + `}`}
		}
		return []any{entity}, nil
	}
	if match := insertValuesPattern.FindStringSubmatch(text); match != nil && len(r.inserts) > 0 {
		r.got = append(r.got, "INSERT VALUES "+match[1])
		answer := r.inserts[0].Answer
		r.inserts = r.inserts[1:]
		if strings.Contains(answer, `"status":"error"`) {
			return nil, &ksql.Error{HTTPStatus: 400, Message: `{"@type":"generic_error","error_code":40000,"message":"as recorded"}`}
		}
		return nil, nil
	}
	if strings.Contains(text, "CREATE TABLE "+migrate.VersionsTable) || strings.Contains(text, "CREATE STREAM "+migrate.EventsStream) {
		properties = nil // the tool gives none, and may miss the first events
	}
	r.got = append(r.got, operation(text, properties))
	e, ok := r.statements[normalize(text)]
	if !ok {
		return nil, &ksql.Error{HTTPStatus: 400, Message: `{"@type":"statement_error","error_code":40001,"message":"never recorded"}`}
	}
	if e.Status != "200" {
		status, _ := strconv.Atoi(e.Status)
		return nil, &ksql.Error{HTTPStatus: status, Message: e.Answer}
	}
	if err := json.Unmarshal([]byte(e.Answer), &entities); err != nil {
		return nil, &ksql.Error{HTTPStatus: 500, Message: err.Error()}
	}
	return entities, nil
}

// TestRecordedClients does with our migrator what was done with
// ksql-migrations, on the files and the metadata of that time, and compares
// the statements sent, the metadata written, and how it ended.
func TestRecordedClients(t *testing.T) {
	runs := recordings.Migrations(t, repository)
	total := len(runs)
	project := recordedProject(t, runs)
	matched := 0
	for _, number := range slices.Sorted(mapKeys(runs)) {
		if commandLines[number] {
			total--
			continue
		}
		ok := t.Run(number+" "+strings.Join(runs[number].Args, " "), func(t *testing.T) {
			replay := newReplay(t, runs[number])
			if number == "20" {
				// The tool stops at what was changed; ours reads on.
				for version, row := range newReplay(t, runs["18"]).fake.table {
					replay.fake.table[version] = row
				}
			}
			replayRun(t, runs[number], replay, project(number))
		})
		if ok {
			matched++
		}
	}
	fmt.Printf("recorded/clients, requests of ours instead of ksql-migrations': %d of %d runs match\n", matched, total)
}

func mapKeys(runs map[string]recordings.Run) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range runs {
			if !yield(key) {
				return
			}
		}
	}
}

// commandLines are the runs that send nothing; cmd/orderflow compares what they
// show.
var commandLines = map[string]bool{"01": true, "27": true, "28": true, "29": true, "30": true}

// recordedProject returns the migration files as they were at a run.
func recordedProject(t *testing.T, runs map[string]recordings.Run) func(run string) map[string]string {
	return func(run string) map[string]string {
		project := map[string]string{}
		take := func(number string) {
			name, content := runs[number].File(t)
			project[name] = content
		}
		if run >= "51" {
			source := run
			if run > "58" {
				source = "58"
			}
			if run > "51" {
				take(source)
			}
			return project
		}
		if run <= "06" {
			return project
		}
		take("10")
		if run == "07" {
			return project
		}
		for _, number := range []string{"11", "13", "16"} {
			take(number)
		}
		project["V000005__fifth.sql"] = ""
		if run >= "19" {
			take("19")
		}
		switch run {
		case "20":
			project["V000002__second.sql"] += "-- changed\n"
		case "21", "22":
			delete(project, "V000001__first_stream.sql")
		}
		return project
	}
}

// replayRun does with our migrator what the recorded run did.
func replayRun(t *testing.T, run recordings.Run, r *replay, project map[string]string) {
	server := httptest.NewServer(r)
	defer server.Close()
	client, err := ksql.New(ksql.Config{URL: server.URL})
	require.NoError(t, err)
	defer client.Close()
	var names []string
	for name, content := range project {
		names = append(names, name, content)
	}
	command := run.Args[2]
	config := migrate.Config{Client: client, FS: files(names...), RequireMetadata: true}
	options, defines := parseArgs(t, run.Args[3:])
	config.Variables = defines
	migrator, err := migrate.New(config)
	require.NoError(t, err)

	switch command {
	case "initialize-metadata":
		err = migrator.Initialize(t.Context())
	case "create":
		err = replayCreate(t, run, project)
	case "apply":
		_, err = migrator.Apply(t.Context(), options)
	case "validate":
		_, err = migrator.Validate(t.Context())
		compareValidation(t, run, err)
	case "destroy-metadata":
		_, err = migrator.Destroy(t.Context())
	case "info":
		var status migrate.Status
		status, err = migrator.Info(t.Context())
		if run.ExitCode == 0 {
			compareInfo(t, run, status)
		}
	default:
		t.Fatalf("the run of %s is not known here", command)
	}
	if run.ExitCode == 0 {
		require.NoError(t, err)
	} else {
		require.Error(t, err)
	}
	if strings.Contains(run.Stdout, "missing semicolon") {
		// The tool leaves the file RUNNING.
		require.Len(t, r.got, len(r.want)+2)
		require.Contains(t, r.got[len(r.want)], ") ERROR after ")
		r.got = r.got[:len(r.want)]
	}
	require.Equal(t, r.want, r.got)
}

func parseArgs(t *testing.T, args []string) (options migrate.ApplyOptions, defines map[string]string) {
	defines = map[string]string{}
	for i := 0; i < len(args); i++ {
		number := func() int {
			i++
			n, err := strconv.Atoi(args[i])
			require.NoError(t, err)
			return n
		}
		switch args[i] {
		case "-a":
			options.All = true
		case "-n":
			options.Next = true
		case "-u":
			options.Until = number()
		case "-v":
			options.Version = number()
		case "--dry-run":
			options.DryRun = true
		case "-d":
			i++
			name, value, err := migrate.ParseDefine(args[i])
			require.NoError(t, err)
			defines[name] = value
		}
	}
	return options, defines
}

func replayCreate(t *testing.T, run recordings.Run, project map[string]string) error {
	dir := t.TempDir()
	for name, content := range project {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	options, _ := parseArgs(t, run.Args[3:])
	path, err := migrate.Create(dir, run.Args[len(run.Args)-1], options.Version)
	if err != nil {
		return err
	}
	if !strings.Contains(run.Stdout, "proj/migrations/"+filepath.Base(path)+"\n") {
		return errors.New("created " + path)
	}
	return nil
}

var namedInMessage = regexp.MustCompile(`version (\d+)|Version: (\d+)|Expected checksum: (\w+)`)

// compareValidation requires that our message names what the tool's names.
func compareValidation(t *testing.T, run recordings.Run, err error) {
	if run.ExitCode == 0 {
		return
	}
	require.Error(t, err)
	for _, match := range namedInMessage.FindAllStringSubmatch(run.Stdout, -1) {
		require.Contains(t, err.Error(), match[1]+match[2]+match[3])
	}
}

// compareInfo compares all but the reasons of errors, which span lines there.
func compareInfo(t *testing.T, run recordings.Run, status migrate.Status) {
	var want, got [][]string
	for _, line := range strings.Split(run.Stdout, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 7 || strings.TrimSpace(cells[0]) == "Version" {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		want = append(want, cells[:6])
	}
	orNone := func(text string) string {
		if text == "" {
			return "N/A"
		}
		return text
	}
	const layout = "2006-01-02 15:04:05.000 MST"
	for _, m := range status.Migrations {
		started, completed := "N/A", "N/A"
		if !m.StartedOn.IsZero() {
			started = m.StartedOn.Format(layout)
		}
		if !m.CompletedOn.IsZero() {
			completed = m.CompletedOn.Format(layout)
		}
		got = append(got, []string{strconv.Itoa(m.Version), m.Name, string(m.State), orNone(m.Previous), started, completed})
	}
	require.Equal(t, want, got)
	current := "<none>"
	if status.Current > 0 {
		current = strconv.Itoa(status.Current)
	}
	require.Contains(t, run.Stdout, "Current migration version: "+current+"\n")
}

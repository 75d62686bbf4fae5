package migrate

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Keys of the progress table: a version's number is the key of its file's
// progress, the same with undoPrefix that of its undo file's.
const (
	undoPrefix = "U"
	textPrefix = "TEXT "
	lockKey    = "LOCK"
)

// States of a progress and of the lock.
const (
	progressRunning = "RUNNING" // a statement is underway, or was when the migrator was cut off
	progressStopped = "STOPPED" // none is
	progressDone    = "DONE"
	lockHeld        = "HELD"
	lockFree        = "FREE"
)

var progressColumns = []string{"progress_key", "state", "sha256", "done", "underway", "content", "holder", "started_on", "updated_on"}

// progress is how far a file is.
type progress struct {
	key    string
	state  string
	sha256 string // of the file
	// done has the fingerprints of the statements that were carried out, in order.
	done []string
	// underway is the statement after them, nil when none was begun.
	underway *underway
	// startedOn is that of the record that was written together with it, so that
	// one of another attempt, by ksql-migrations say, is told apart.
	startedOn string
	updatedOn string
}

// underway is a statement of which it is not known whether it was carried out.
type underway struct {
	// Fingerprint is the step's.
	Fingerprint string `json:"fingerprint"`
	// Text is the statement.
	Text string `json:"text"`
	// Before is what stood on the server before it, "" when that tells nothing.
	Before string `json:"before"`
}

func (p progress) row() (row, error) {
	statement := ""
	if p.underway != nil {
		encoded, err := json.Marshal(p.underway)
		if err != nil {
			return nil, fmt.Errorf("encoding a statement: %w", err)
		}
		statement = string(encoded)
	}
	return row{p.key, p.state, p.sha256, strings.Join(p.done, ","), statement, "", "", p.startedOn, p.updatedOn}, nil
}

func progressOf(r row) (progress, error) {
	p := progress{key: r[0], state: r[1], sha256: r[2], startedOn: r[7], updatedOn: r[8]}
	if r[3] != "" {
		p.done = strings.Split(r[3], ",")
	}
	if r[4] != "" {
		p.underway = &underway{}
		if err := json.Unmarshal([]byte(r[4]), p.underway); err != nil {
			return p, fmt.Errorf("reading the statement that was underway in %s: %w", p.key, err)
		}
	}
	return p, nil
}

// journal keeps in ksqlDB what ksql-migrations has no place for: how far a file
// is, what it held when it was applied, and who changes the server.
type journal struct{ ledger }

func newJournal(client *ksql.Client, names Metadata) journal {
	return journal{ledger{
		client: client, stream: ownPrefix + names.Stream, table: ownPrefix + names.Table,
		replicas: names.Replicas, columns: progressColumns, ifMissing: true,
	}}
}

// ensure makes stream and table where they are missing. Another may be doing the
// same.
func (j *journal) ensure(ctx context.Context) error {
	there, err := sourceExists(ctx, j.client, j.table)
	if err == nil && !there {
		err = j.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("making %s and %s: %w", j.stream, j.table, err)
	}
	return nil
}

// readProgress returns the progress of these keys that exist.
func (j *journal) readProgress(ctx context.Context, keys []string) (map[string]progress, error) {
	rows, err := j.read(ctx, keys)
	if err != nil {
		return nil, err
	}
	all := map[string]progress{}
	for key, r := range rows {
		if all[key], err = progressOf(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (j *journal) note(ctx context.Context, p progress) error {
	r, err := p.row()
	if err == nil {
		err = j.write(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("noting the progress of %s: %w", p.key, err)
	}
	return nil
}

// keepText keeps what a file held.
func (j *journal) keepText(ctx context.Context, key, content, at string) error {
	packed, err := pack(content)
	if err == nil {
		err = j.write(ctx, row{textPrefix + key, "", sha256Of(content), "", "", packed, "", "", at})
	}
	if err != nil {
		return fmt.Errorf("keeping the text of %s: %w", key, err)
	}
	return nil
}

// texts returns what the files of these keys held when they were applied, where
// that is known.
func (j *journal) texts(ctx context.Context, keys []string) (map[string]string, error) {
	named := make([]string, len(keys))
	for i, key := range keys {
		named[i] = textPrefix + key
	}
	rows, err := j.read(ctx, named)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for key, r := range rows {
		text, err := unpack(r[5])
		if err != nil {
			return nil, fmt.Errorf("reading the text of %s: %w", key, err)
		}
		texts[strings.TrimPrefix(key, textPrefix)] = text
	}
	return texts, nil
}

func sha256Of(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// pack compresses a text and makes it fit into a STRING.
func pack(text string) (string, error) {
	var packed bytes.Buffer
	encoder := base64.NewEncoder(base64.StdEncoding, &packed)
	compressor := gzip.NewWriter(encoder)
	if _, err := io.WriteString(compressor, text); err != nil {
		return "", fmt.Errorf("compressing a text: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return "", fmt.Errorf("compressing a text: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("compressing a text: %w", err)
	}
	return packed.String(), nil
}

// maxText bounds a text that is unpacked, in bytes.
const maxText = 16 << 20

func unpack(packed string) (string, error) {
	reader, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(packed)))
	if err != nil {
		return "", fmt.Errorf("decompressing a text: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(reader, maxText+1))
	if err != nil {
		return "", fmt.Errorf("decompressing a text: %w", err)
	}
	if len(text) > maxText {
		return "", fmt.Errorf("decompressing a text: it is longer than %d bytes", maxText)
	}
	return string(text), nil
}

// fingerprint tells a step from others: by its text, its variables filled in,
// and its properties.
func (s step) fingerprint() string {
	// Marshal sorts the properties by their names and cannot fail on strings.
	properties, _ := json.Marshal(s.properties)
	return sha256Of(s.text + "\x00" + string(properties))[:16]
}

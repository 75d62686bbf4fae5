package broker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
)

// The append-only logs beside kfake's segments are sequences of frames: length
// of what follows the checksum (4 bytes), CRC-32C of it (4), version (2), JSON
// text; little endian.
const (
	logFrameHead    = 8
	minLogFrameBody = 2
	maxLogFrameBody = 1 << 20 // far above what an entry can be
)

var (
	appendLogs = []string{"groups.log", "pids.log"}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// repair brings the files of the last run into a state that kfake continues
// from without loss.
func repair(dir string, log *slog.Logger) error {
	for _, name := range appendLogs {
		if err := repairLog(filepath.Join(dir, name), log); err != nil {
			return err
		}
	}
	return dropSessions(filepath.Join(dir, "session_state.json"))
}

// repairLog removes broken frames. kfake reads such a log up to the first broken
// one but appends at its end, so what it appends behind a torn tail would be
// lost at the next start.
func repairLog(path string, log *slog.Logger) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	valid := validFrames(raw)
	if len(valid) == len(raw) {
		return nil
	}
	log.Warn("broker: removing broken entries, the trace of a crash while writing", "file", path, "bytes", len(raw)-len(valid))
	return replaceFile(path, valid)
}

// validFrames returns the sound frames of a log in order. Broken bytes between
// sound frames are skipped: a frame's checksum tells it from chance.
func validFrames(raw []byte) []byte {
	valid := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		n := soundFrame(raw)
		if n == 0 {
			raw = raw[1:]
			continue
		}
		valid = append(valid, raw[:n]...)
		raw = raw[n:]
	}
	return valid
}

// soundFrame gives the length of the frame at the beginning of raw, 0 when there
// is none.
func soundFrame(raw []byte) int {
	if len(raw) < logFrameHead+minLogFrameBody {
		return 0
	}
	body := int64(binary.LittleEndian.Uint32(raw))
	if body < minLogFrameBody || body > min(maxLogFrameBody, int64(len(raw)-logFrameHead)) {
		return 0
	}
	end := logFrameHead + int(body)
	if crc32.Checksum(raw[logFrameHead:end], castagnoli) != binary.LittleEndian.Uint32(raw[4:]) {
		return 0
	}
	return end
}

// dropSessions takes the group members and fetch sessions out of what kfake kept
// at a clean stop. The members of the last run would hold up those of this one
// until their sessions time out; whoever is still there joins again.
func dropSessions(path string) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(raw, &state); err != nil {
		return fmt.Errorf("parsing %s: %w; remove the file to go on without the share groups' positions", path, err)
	}
	for _, key := range []string{"classicGroups", "consumerGroups", "fetchSessions", "inProgressTxns"} {
		delete(state, key)
	}
	trimmed, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return replaceFile(path, trimmed)
}

// replaceFile gives a file new content such that a crash leaves the old or the
// new one.
func replaceFile(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", tmp, err)
	}
	return os.Rename(tmp, path)
}

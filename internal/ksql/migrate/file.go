package migrate

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// MaxVersion is the highest version that a file name has digits for.
const MaxVersion = 999999

// File is a migration file.
type File struct {
	// Version is the number in the file's name, from 1.
	Version int `json:"version"`
	// Name is the text in the file's name, with spaces for underscores.
	Name string `json:"name"`
	// Path is the file's name, such as V000001__first_stream.sql.
	Path string `json:"path"`
	// Checksum is the MD5 of the content, in hexadecimal, as ksql-migrations has it.
	Checksum string `json:"checksum"`
	// Content is the file's text.
	Content string `json:"-"`
}

var (
	filePattern          = regexp.MustCompile(`^V([0-9]{6})__(.+)\.sql$`)
	candidatePattern     = regexp.MustCompile(`^[Vv][^/]*\.[sS][qQ][lL]$`)
	undoPattern          = regexp.MustCompile(`^U([0-9]{6})__(.+)\.sql$`)
	undoCandidatePattern = regexp.MustCompile(`^[Uu][0-9][^/]*\.[sS][qQ][lL]$`)
)

// Load reads the migration files at the root of fsys, ordered by version.
// Other files are left alone, but a name that looks like a mistyped one of a
// migration is an error, since leaving that out could go unnoticed.
func Load(fsys fs.FS) ([]File, error) { return load(fsys, candidatePattern, filePattern, "V") }

// LoadUndo reads the files at the root of fsys that undo migrations, named like
// theirs with a U for the V, ordered by version.
func LoadUndo(fsys fs.FS) ([]File, error) { return load(fsys, undoCandidatePattern, undoPattern, "U") }

func load(fsys fs.FS, candidate, pattern *regexp.Regexp, letter string) ([]File, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the migrations directory: %w", err)
	}
	var files []File
	var errs []error
	for _, entry := range entries {
		if entry.IsDir() || !candidate.MatchString(entry.Name()) {
			continue
		}
		file, err := readFile(fsys, entry.Name(), pattern, letter)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, file)
	}
	slices.SortStableFunc(files, func(a, b File) int { return a.Version - b.Version })
	for i := 1; i < len(files); i++ {
		if files[i].Version == files[i-1].Version {
			errs = append(errs, &FileError{File: files[i].Path, Err: fmt.Errorf("%s has the same version: renumber one", files[i-1].Path)})
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("reading the migrations: %w", errors.Join(errs...))
	}
	return files, nil
}

func readFile(fsys fs.FS, path string, pattern *regexp.Regexp, letter string) (File, error) {
	match := pattern.FindStringSubmatch(path)
	if match == nil {
		return File{}, &FileError{File: path, Err: fmt.Errorf("a migration's name must look like %s000001__name.sql (%s, six digits, two underscores)", letter, letter)}
	}
	version, err := strconv.Atoi(match[1])
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	if version == 0 {
		return File{}, &FileError{File: path, Err: errors.New("versions start at 1")}
	}
	content, err := fs.ReadFile(fsys, path)
	if err != nil {
		return File{}, err
	}
	return File{
		Version:  version,
		Name:     strings.ReplaceAll(match[2], "_", " "),
		Path:     path,
		Checksum: checksumOf(string(content)),
		Content:  string(content),
	}, nil
}

func checksumOf(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

// Create makes an empty migration file in dir and returns its path. A version
// of 0 means one more than the highest there is. An existing file of that
// version is an error.
func Create(dir, name string, version int) (string, error) {
	slug, err := slugOf(name)
	if err != nil {
		return "", err
	}
	if version < 0 || version > MaxVersion {
		return "", fmt.Errorf("creating a migration: version %d is not between 1 and %d", version, MaxVersion)
	}
	files, err := Load(os.DirFS(dir))
	if err != nil {
		return "", err
	}
	if version == 0 {
		version = 1
		if len(files) > 0 {
			version = files[len(files)-1].Version + 1
		}
		if version > MaxVersion {
			return "", fmt.Errorf("creating a migration: version %d is taken, and a file name has no room for a higher one", MaxVersion)
		}
	}
	for _, file := range files {
		if file.Version == version {
			return "", fmt.Errorf("creating a migration: version %d exists: %s", version, file.Path)
		}
	}
	path := filepath.Join(dir, fmt.Sprintf("V%06d__%s.sql", version, slug))
	created, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", fmt.Errorf("creating a migration: %w", err)
	}
	if err := created.Close(); err != nil {
		return "", fmt.Errorf("creating a migration: %w", err)
	}
	return path, nil
}

// slugOf returns name as it stands in a file name.
func slugOf(name string) (string, error) {
	slug := strings.Join(strings.Fields(name), "_")
	if slug == "" {
		return "", errors.New("creating a migration: it needs a name, which says what it does")
	}
	for _, r := range slug {
		if r == '_' || r == '-' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			continue
		}
		return "", fmt.Errorf("creating a migration: %q cannot be in its name: use letters, digits, spaces, underscores, dots and hyphens", r)
	}
	return slug, nil
}

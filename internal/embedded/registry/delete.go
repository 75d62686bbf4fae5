package registry

// deleteVersion deletes one version: softly, or for good once that was done.
func deleteVersion(r *Registry, c *call) (any, error) {
	number, err := parseVersion(c.vars[1])
	if err != nil {
		return nil, err
	}
	permanent := c.flag("permanent")
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		subject := s.resolve(c.subject(0))
		v := s.subjects[subject][number]
		if number == latestVersion {
			v = s.latest(subject)
		}
		switch {
		case v == nil && !s.exists(subject, anyVersion):
			return nil, nil, errSubjectNotFound(subject)
		case v == nil:
			return nil, nil, errVersionNotFound(number)
		case v.Deleted && !permanent:
			return nil, nil, errVersionSoftDeleted(subject, v.Version)
		}
		if err := s.checkDeletable(subject, v); err != nil {
			return nil, nil, err
		}
		if permanent {
			if !v.Deleted {
				return nil, nil, errVersionNotSoftDeleted(subject, v.Version)
			}
			return v.Version, []record{schemaTombstone(subject, v.Version)}, nil
		}
		gone := *v
		gone.Deleted = true
		records := []record{schemaRecord(gone)}
		if len(s.versions(subject, notDeleted)) == 1 {
			records = append(records, s.settingTombstones(subject)...)
		}
		return v.Version, records, nil
	})
}

// deleteSubject deletes all versions: softly, or for good once that was done.
func deleteSubject(r *Registry, c *call) (any, error) {
	permanent := c.flag("permanent")
	return r.write(c.ctx, func(s *state) (any, []record, error) {
		subject := s.resolve(c.subject(0))
		switch {
		case !s.exists(subject, anyVersion):
			return nil, nil, errSubjectNotFound(subject)
		case !permanent && !s.exists(subject, notDeleted):
			return nil, nil, errSubjectSoftDeleted(subject)
		}
		keep := notDeleted
		if permanent {
			keep = anyVersion
		}
		list := s.versions(subject, keep)
		if err := s.checkDeletable(subject, list...); err != nil {
			return nil, nil, err
		}
		if !permanent {
			last := list[len(list)-1].Version
			return numbers(list), append([]record{deleteSubjectRecord(subject, last)}, s.settingTombstones(subject)...), nil
		}
		if s.exists(subject, notDeleted) {
			return nil, nil, errSubjectNotSoftDeleted(subject)
		}
		records := s.settingTombstones(subject)
		for _, v := range list {
			records = append(records, schemaTombstone(subject, v.Version))
		}
		return numbers(list), records, nil
	})
}

// checkDeletable reports whether versions may go: the subject takes changes and
// nothing refers to them.
func (s *state) checkDeletable(subject string, list ...*schemaValue) error {
	if mode := s.mode(subject); mode == modeReadOnly || mode == modeReadOnlyOverride {
		return errNotPermitted("Subject %s is in read-only mode", subject)
	}
	for _, v := range list {
		if len(s.referrers(subject, v.Version)) > 0 {
			return errReferenced(subject, v.Version)
		}
	}
	return nil
}

// settingTombstones removes a subject's own level and mode.
func (s *state) settingTombstones(subject string) []record {
	var records []record
	if s.configs[subject] != nil {
		records = append(records, configRecord(subject, nil))
	}
	if s.modes[subject] != "" {
		records = append(records, modeRecord(subject, ""))
	}
	return records
}

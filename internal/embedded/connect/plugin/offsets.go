package plugin

// OffsetChecker is a connector that looks at offsets before they are changed from
// outside.
type OffsetChecker interface {
	// CheckOffset says why a partition can't have an offset, nil for one that is to
	// be forgotten.
	CheckOffset(partition, offset map[string]any) error
}

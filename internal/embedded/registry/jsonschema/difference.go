package jsonschema

import "fmt"

// Kind is what about a change makes it incompatible.
type Kind string

// The incompatible changes, in the words of Confluent's registry.
const (
	schemaAdded                   Kind = "SCHEMA_ADDED"
	typeNarrowed                  Kind = "TYPE_NARROWED"
	typeChanged                   Kind = "TYPE_CHANGED"
	maxLengthAdded                Kind = "MAX_LENGTH_ADDED"
	maxLengthDecreased            Kind = "MAX_LENGTH_DECREASED"
	minLengthAdded                Kind = "MIN_LENGTH_ADDED"
	minLengthIncreased            Kind = "MIN_LENGTH_INCREASED"
	patternAdded                  Kind = "PATTERN_ADDED"
	patternChanged                Kind = "PATTERN_CHANGED"
	maximumAdded                  Kind = "MAXIMUM_ADDED"
	maximumDecreased              Kind = "MAXIMUM_DECREASED"
	minimumAdded                  Kind = "MINIMUM_ADDED"
	minimumIncreased              Kind = "MINIMUM_INCREASED"
	exclusiveMaximumAdded         Kind = "EXCLUSIVE_MAXIMUM_ADDED"
	exclusiveMaximumDecreased     Kind = "EXCLUSIVE_MAXIMUM_DECREASED"
	exclusiveMinimumAdded         Kind = "EXCLUSIVE_MINIMUM_ADDED"
	exclusiveMinimumIncreased     Kind = "EXCLUSIVE_MINIMUM_INCREASED"
	multipleOfAdded               Kind = "MULTIPLE_OF_ADDED"
	multipleOfExpanded            Kind = "MULTIPLE_OF_EXPANDED"
	multipleOfChanged             Kind = "MULTIPLE_OF_CHANGED"
	requiredAttributeAdded        Kind = "REQUIRED_ATTRIBUTE_ADDED"
	maxPropertiesAdded            Kind = "MAX_PROPERTIES_ADDED"
	maxPropertiesDecreased        Kind = "MAX_PROPERTIES_DECREASED"
	minPropertiesAdded            Kind = "MIN_PROPERTIES_ADDED"
	minPropertiesIncreased        Kind = "MIN_PROPERTIES_INCREASED"
	additionalPropertiesRemoved   Kind = "ADDITIONAL_PROPERTIES_REMOVED"
	additionalPropertiesNarrowed  Kind = "ADDITIONAL_PROPERTIES_NARROWED"
	dependencyArrayAdded          Kind = "DEPENDENCY_ARRAY_ADDED"
	dependencyArrayExtended       Kind = "DEPENDENCY_ARRAY_EXTENDED"
	dependencyArrayChanged        Kind = "DEPENDENCY_ARRAY_CHANGED"
	dependencySchemaAdded         Kind = "DEPENDENCY_SCHEMA_ADDED"
	propertyAddedToOpen           Kind = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
	requiredPropertyAddedToUnopen Kind = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL"
	propertyRemovedFromClosed     Kind = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	propertyRemovedNotCovered     Kind = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	propertyAddedNotCovered       Kind = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	maxItemsAdded                 Kind = "MAX_ITEMS_ADDED"
	maxItemsDecreased             Kind = "MAX_ITEMS_DECREASED"
	minItemsAdded                 Kind = "MIN_ITEMS_ADDED"
	minItemsIncreased             Kind = "MIN_ITEMS_INCREASED"
	uniqueItemsAdded              Kind = "UNIQUE_ITEMS_ADDED"
	additionalItemsRemoved        Kind = "ADDITIONAL_ITEMS_REMOVED"
	additionalItemsNarrowed       Kind = "ADDITIONAL_ITEMS_NARROWED"
	itemAddedToOpen               Kind = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL"
	itemRemovedFromClosed         Kind = "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	itemRemovedNotCovered         Kind = "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	itemAddedNotCovered           Kind = "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	enumArrayNarrowed             Kind = "ENUM_ARRAY_NARROWED"
	enumArrayChanged              Kind = "ENUM_ARRAY_CHANGED"
	combinedTypeChanged           Kind = "COMBINED_TYPE_CHANGED"
	combinedTypeSubschemasChanged Kind = "COMBINED_TYPE_SUBSCHEMAS_CHANGED"
	productTypeExtended           Kind = "PRODUCT_TYPE_EXTENDED"
	sumTypeNarrowed               Kind = "SUM_TYPE_NARROWED"
	notTypeExtended               Kind = "NOT_TYPE_EXTENDED"
)

// The forms of the explanations: path, reader's schema, writer's schema.
const (
	sayKeyword   = "The keyword at path '%[1]s' in the %[2]s schema is not present in the %[3]s schema"
	sayIncreased = "The value at path '%[1]s' in the %[2]s schema is more than its value in the %[3]s schema"
	sayDecreased = "The value at path '%[1]s' in the %[2]s schema is less than its value in the %[3]s schema"
	sayChanged   = "The value at path '%[1]s' is different between the %[2]s and %[3]s schema"
	sayFewer     = "An array or combined type at path '%[1]s' has fewer elements in the %[2]s schema than the %[3]s schema"
	sayMore      = "An array or combined type at path '%[1]s' has more elements in the %[2]s schema than the %[3]s schema"
	sayType      = "A type at path '%[1]s' is different between the %[2]s schema and the %[3]s schema"
	sayOpen      = "The %[2]s schema has an open content model and has a property or item at path '%[1]s' which is missing in the %[3]s schema"
	sayUnopen    = "The %[2]s schema has an unopen content model and has a required property at path '%[1]s' which is missing in the %[3]s schema"
	sayClosed    = "The %[2]s has a closed content model and is missing a property or item present at path '%[1]s' in the %[3]s schema"
	sayRemoved   = "A property or item is missing in the %[2]s schema but present at path '%[1]s' in the %[3]s schema and is not covered by its partially open content model"
	sayAdded     = "The %[2]s schema has a property or item at path '%[1]s' which is missing in the %[3]s schema and is not covered by its partially open content model"
)

// explanations has the form of each kind's explanation. A kind that is missing
// has none there either.
var explanations = map[Kind]string{
	maximumAdded: sayKeyword, minimumAdded: sayKeyword, exclusiveMaximumAdded: sayKeyword,
	exclusiveMinimumAdded: sayKeyword, multipleOfAdded: sayKeyword, maxLengthAdded: sayKeyword,
	minLengthAdded: sayKeyword, patternAdded: sayKeyword, requiredAttributeAdded: sayKeyword,
	maxPropertiesAdded: sayKeyword, minPropertiesAdded: sayKeyword, dependencyArrayAdded: sayKeyword,
	dependencySchemaAdded: sayKeyword, maxItemsAdded: sayKeyword, minItemsAdded: sayKeyword,
	uniqueItemsAdded: sayKeyword, additionalItemsRemoved: sayKeyword, additionalPropertiesRemoved: sayKeyword,

	minLengthIncreased: sayIncreased, minimumIncreased: sayIncreased, exclusiveMinimumIncreased: sayIncreased,
	minPropertiesIncreased: sayIncreased, multipleOfExpanded: sayIncreased, minItemsIncreased: sayIncreased,

	maxLengthDecreased: sayDecreased, maximumDecreased: sayDecreased, maxItemsDecreased: sayDecreased,
	exclusiveMaximumDecreased: sayDecreased, maxPropertiesDecreased: sayDecreased,

	patternChanged: sayChanged, multipleOfChanged: sayChanged, dependencyArrayChanged: sayChanged,

	additionalItemsNarrowed: sayFewer, enumArrayNarrowed: sayFewer, sumTypeNarrowed: sayFewer, additionalPropertiesNarrowed: sayFewer,

	dependencyArrayExtended: sayMore, productTypeExtended: sayMore, notTypeExtended: sayMore,

	typeChanged: sayType, typeNarrowed: sayType, combinedTypeChanged: sayType, combinedTypeSubschemasChanged: sayType, enumArrayChanged: sayType,

	propertyAddedToOpen: sayOpen, itemAddedToOpen: sayOpen,
	requiredPropertyAddedToUnopen: sayUnopen,
	propertyRemovedFromClosed:     sayClosed, itemRemovedFromClosed: sayClosed,
	propertyRemovedNotCovered: sayRemoved, itemRemovedNotCovered: sayRemoved,
	propertyAddedNotCovered: sayAdded, itemAddedNotCovered: sayAdded,
}

// Difference is one change that makes data of one schema invalid with another.
type Difference struct {
	Kind Kind
	// Path leads to the change: "#/properties/a".
	Path string
}

// Message explains a difference, naming the two schemas as given.
func (d Difference) Message(reader, writer string) string {
	description := ""
	if form, ok := explanations[d.Kind]; ok {
		description = fmt.Sprintf(form, d.Path, reader, writer)
	}
	return fmt.Sprintf(`{errorType:"%s", description:"%s'}`, d.Kind, description)
}

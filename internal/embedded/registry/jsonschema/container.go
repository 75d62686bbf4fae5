package jsonschema

import (
	"maps"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/registry/javaset"
)

func (c *comparison) objects(original, update *node) {
	c.at("required", func() {
		for _, name := range javaset.Names(original.properties.names) {
			is, both := update.properties.nodes[name]
			if both && update.required[name] && !original.required[name] && !is.hasDefault {
				c.addAt(name, requiredAttributeAdded)
			}
		}
	})
	c.at("properties", func() {
		for _, name := range javaset.Union(original.properties.names, update.properties.names) {
			c.at(name, func() { c.property(original, update, name) })
		}
	})
	c.at("dependencies", func() { c.dependencies(original, update) })
	c.at("additionalProperties", func() {
		c.rest(original.noAdditionalProperties, update.noAdditionalProperties, original.additionalProperties, update.additionalProperties,
			additionalPropertiesRemoved, additionalPropertiesNarrowed)
	})
	upper(c, "maxProperties", original.maxProperties, update.maxProperties, compareInts, maxPropertiesAdded, maxPropertiesDecreased)
	lower(c, "minProperties", original.minProperties, update.minProperties, compareInts, minPropertiesAdded, minPropertiesIncreased)
}

// rest compares what may stand beside what is named.
func (c *comparison) rest(wasNone, isNone bool, was, is *node, removed, narrowed Kind) {
	switch {
	case wasNone != isNone:
		if isNone {
			c.add(removed)
		}
	case was == nil && is != nil:
		c.add(narrowed)
	default:
		c.compare(was, is)
	}
}

func (c *comparison) property(original, update *node, name string) {
	was, is := original.properties.nodes[name], update.properties.nodes[name]
	switch {
	case was != nil && is != nil:
		c.compare(was, is)
	case is == nil:
		if update.open() {
			return
		}
		c.removed(was, update.covering(name), propertyRemovedNotCovered, propertyRemovedFromClosed)
	case original.open():
		if is.kind != kindEmpty && is.kind != kindTrue {
			c.add(propertyAddedToOpen)
		}
	default:
		c.covered(original.covering(name), is, propertyAddedNotCovered)
		if update.required[name] && !is.hasDefault {
			c.add(requiredPropertyAddedToUnopen)
		}
	}
}

// removed compares what was named with what now stands for it, if anything does.
func (c *comparison) removed(was, covering *node, notCovered, fromClosed Kind) {
	switch {
	case covering != nil:
		c.covered(was, covering, notCovered)
	case was.kind != kindFalse:
		c.add(fromClosed)
	}
}

func (c *comparison) covered(was, is *node, not Kind) {
	if was == nil {
		return
	}
	sub := c.apart()
	sub.compare(was, is)
	c.found = append(c.found, sub.found...)
	if len(sub.found) > 0 {
		c.add(not)
	}
}

// open reports whether an object may have any other property.
func (n *node) open() bool {
	return len(n.patternProperties) == 0 && n.additionalProperties == nil && !n.noAdditionalProperties
}

// covering gives the schema that a property without one of its own falls under.
func (n *node) covering(name string) *node {
	for _, p := range n.patternProperties {
		if p.matches(name) {
			return p.node
		}
	}
	return n.additionalProperties
}

func (c *comparison) dependencies(original, update *node) {
	for _, name := range javaset.Union(original.propertyDependencies.names, update.propertyDependencies.names) {
		was, before := original.requiredWith[name]
		is, after := update.requiredWith[name]
		switch {
		case !after || maps.Equal(was, is):
		case !before:
			c.addAt(name, dependencyArrayAdded)
		case containsAll(is, was):
			c.addAt(name, dependencyArrayExtended)
		case !containsAll(was, is):
			c.addAt(name, dependencyArrayChanged)
		}
	}
	for _, name := range javaset.Union(original.schemaDependencies.names, update.schemaDependencies.names) {
		was, is := original.schemaDependencies.nodes[name], update.schemaDependencies.nodes[name]
		switch {
		case is == nil:
		case was == nil:
			c.addAt(name, dependencySchemaAdded)
		default:
			c.at(name, func() { c.compare(was, is) })
		}
	}
}

func (c *comparison) arrays(original, update *node) {
	c.at("items", func() { c.compare(original.items, update.items) })
	for i := range max(len(original.itemList), len(update.itemList)) {
		c.at("items/"+strconv.Itoa(i), func() { c.item(original, update, i) })
	}
	c.at("additionalItems", func() {
		c.rest(original.noAdditionalItems, update.noAdditionalItems, original.additionalItems, update.additionalItems,
			additionalItemsRemoved, additionalItemsNarrowed)
	})
	upper(c, "maxItems", original.maxItems, update.maxItems, compareInts, maxItemsAdded, maxItemsDecreased)
	lower(c, "minItems", original.minItems, update.minItems, compareInts, minItemsAdded, minItemsIncreased)
	c.when(update.uniqueItems && !original.uniqueItems, "uniqueItems", uniqueItemsAdded)
}

func (c *comparison) item(original, update *node, i int) {
	openItems := func(n *node) bool { return n.additionalItems == nil && !n.noAdditionalItems }
	switch {
	case i >= len(update.itemList):
		if !openItems(update) {
			c.removed(original.itemList[i], update.additionalItems, itemRemovedNotCovered, itemRemovedFromClosed)
		}
	case i >= len(original.itemList):
		is := update.itemList[i]
		switch {
		case !openItems(original):
			c.covered(original.additionalItems, is, itemAddedNotCovered)
		case is.kind != kindEmpty && is.kind != kindTrue:
			c.add(itemAddedToOpen)
		}
	default:
		c.compare(original.itemList[i], update.itemList[i])
	}
}

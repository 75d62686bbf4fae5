package ast

import "reflect"

var (
	spanType     = reflect.TypeFor[Span]()
	positionType = reflect.TypeFor[Position]()
	sourceType   = reflect.TypeFor[Source]()
	identType    = reflect.TypeFor[Ident]()
)

// Same reports whether two trees mean the same text: they are equal but for
// positions, source texts, and how a name was quoted.
func Same(a, b Node) bool {
	if isNil(a) || isNil(b) {
		return isNil(a) && isNil(b)
	}
	return sameValue(reflect.ValueOf(a), reflect.ValueOf(b))
}

func sameValue(a, b reflect.Value) bool {
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Interface, reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		return sameStruct(a, b)
	default:
		return a.Interface() == b.Interface()
	}
}

func sameStruct(a, b reflect.Value) bool {
	switch a.Type() {
	case spanType, positionType, sourceType:
		return true
	case identType:
		return a.Interface().(Ident).Name == b.Interface().(Ident).Name
	}
	for i := range a.NumField() {
		if !sameValue(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

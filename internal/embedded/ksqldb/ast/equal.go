package ast

import "reflect"

var (
	spanType     = reflect.TypeFor[Span]()
	positionType = reflect.TypeFor[Position]()
	sourceType   = reflect.TypeFor[Source]()
	identType    = reflect.TypeFor[Ident]()
	dataTypeType = reflect.TypeFor[DataType]()
)

// Same reports whether two trees mean the same: they are equal but for positions,
// source texts, how a name was quoted, and INT or VARCHAR in place of INTEGER or
// STRING.
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
	case dataTypeType:
		ta, tb := a.Interface().(DataType), b.Interface().(DataType)
		if ta.Name != nil && tb.Name != nil {
			return canonicalTypeName(ta.Name.Name) == canonicalTypeName(tb.Name.Name)
		}
	}
	for i := range a.NumField() {
		if !sameValue(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

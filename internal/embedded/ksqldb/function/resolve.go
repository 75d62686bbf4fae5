package function

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// signature is what resolution needs to know of an overload. display is the
// name in the list of alternatives.
type signature struct {
	display string
	params  []Param
}

// Generics maps the letters of generic types to the types they stand for in one
// call.
type Generics map[string]*types.Type

// resolve picks the signature for a call. Two calls of a variadic function's
// shape may be told apart by how the arguments reach the variadic parameter
// (one by one or as one array); like ksqlDB it then refuses to choose.
func resolve(name string, sigs []signature, args []Arg, widen bool) (int, error) {
	best, err := candidates(name, sigs, args, false)
	if best >= 0 || err != nil {
		return best, err
	}
	if widen {
		best, err = candidates(name, sigs, args, true)
		if best >= 0 || err != nil {
			return best, err
		}
	}
	return -1, errors.New("Function '" + name + "' does not accept parameters " + argList(args) +
		".\nValid alternatives are:\n" + alternatives(sigs) +
		"\nFor detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;")
}

func candidates(name string, sigs []signature, args []Arg, widen bool) (int, error) {
	type candidate struct {
		path string
		sig  int
	}
	var found []candidate
	for i := range sigs {
		for _, shape := range shapes(sigs[i].params, len(args)) {
			if !accepts(shape.types, args, widen) {
				continue
			}
			at := slices.IndexFunc(found, func(c candidate) bool { return c.path == shape.path })
			switch {
			case at < 0:
				found = append(found, candidate{path: shape.path, sig: i})
			case compareSignatures(&sigs[i], &sigs[found[at].sig]) > 0:
				found[at].sig = i
			}
		}
	}
	if len(found) == 0 {
		return -1, nil
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return compareSignatures(&sigs[a.sig], &sigs[b.sig])
	})
	last := len(found) - 1
	if last > 0 && compareSignatures(&sigs[found[last].sig], &sigs[found[last-1].sig]) == 0 {
		return -1, errors.New("Function '" + name + "' cannot be resolved due to ambiguous method parameters " +
			argList(args) + ".\nUse CAST() to explicitly cast your parameters to one of the supported function calls." +
			"\nValid function calls are:\n" + alternatives(sigs) +
			"\nFor detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;")
	}
	return found[last].sig, nil
}

// shape is a list of types that n arguments may have for a signature.
type shape struct {
	path  string
	types []*ParamType
}

func shapes(params []Param, n int) []shape {
	at := slices.IndexFunc(params, func(p Param) bool { return p.Variadic })
	var out []shape
	add := func(list []*ParamType, repeated bool) {
		parts := make([]string, len(list))
		for i, t := range list {
			parts[i] = t.String()
		}
		path := strings.Join(parts, ", ")
		if repeated {
			path += " repeated"
		}
		out = append(out, shape{path: path, types: list})
	}
	if at < 0 {
		if n == len(params) {
			add(expand(params, -1, 0, nil), false)
		}
		return out
	}
	fixed := len(params) - 1
	if n < fixed {
		return nil
	}
	add(expand(params, at, n-fixed, params[at].Type), n > 2*fixed+1)
	if n == len(params) {
		add(expand(params, at, 1, &ParamType{Kind: ParamArray, Elem: params[at].Type}), false)
	}
	return out
}

// expand puts count copies of t in the place of the parameter at position at.
func expand(params []Param, at, count int, t *ParamType) []*ParamType {
	list := make([]*ParamType, 0, len(params)+count)
	for i, p := range params {
		if i != at {
			list = append(list, p.Type)
			continue
		}
		for range count {
			list = append(list, t)
		}
	}
	return list
}

// compareSignatures ranks two signatures that both accept a call.
func compareSignatures(a, b *signature) int {
	return cmp.Or(
		cmp.Compare(rank(variadicAt(a.params) < 0), rank(variadicAt(b.params) < 0)),
		cmp.Compare(len(a.params), len(b.params)),
		cmp.Compare(-countGenerics(a.params), -countGenerics(b.params)),
		cmp.Compare(rank(!hasAnyVariadic(a.params)), rank(!hasAnyVariadic(b.params))),
		cmp.Compare(variadicAt(a.params), variadicAt(b.params)),
	)
}

func rank(better bool) int {
	if better {
		return 1
	}
	return 0
}

func variadicAt(params []Param) int {
	return slices.IndexFunc(params, func(p Param) bool { return p.Variadic })
}

func hasAnyVariadic(params []Param) bool {
	return slices.ContainsFunc(params, func(p Param) bool { return p.Variadic && p.Type.Kind == ParamAny })
}

func countGenerics(params []Param) int {
	n := 0
	for _, p := range params {
		if p.Type.HasGenerics() || p.Variadic && p.Type.Kind == ParamAny {
			n++
		}
	}
	return n
}

func accepts(params []*ParamType, args []Arg, widen bool) bool {
	generics := Generics{}
	// ksqlDB looks at the arguments from both ends towards the middle, which
	// matters for which argument decides a generic type.
	for i, j := 0, len(args)-1; i <= j; i, j = i+1, j-1 {
		if !acceptsOne(params[i], args[i], generics, widen) {
			return false
		}
		if i != j && !acceptsOne(params[j], args[j], generics, widen) {
			return false
		}
	}
	return true
}

func acceptsOne(p *ParamType, a Arg, generics Generics, widen bool) bool {
	if a.Lambda == nil && a.Type == nil {
		return true
	}
	if p.HasGenerics() {
		return generics.Reserve(p, a) == nil
	}
	return compatible(a, p, widen)
}

// Reserve binds the generic types in p to the types that the argument has in
// their place. It fails when the argument has another structure or when a
// letter is already bound to another type.
func (g Generics) Reserve(p *ParamType, a Arg) error {
	found, ok := g.match(nil, p, a)
	if !ok {
		return fmt.Errorf("Cannot infer generics for %s from %s because they do not have the same schema structure.",
			p, a)
	}
	for _, b := range found {
		old, bound := g[b.letter]
		if !bound {
			g[b.letter] = b.t
			continue
		}
		if !old.Equal(b.t) {
			return fmt.Errorf("Found invalid instance of generic schema when mapping %s to %s. Cannot map %s to both %s and %s",
				p, a, b.letter, old, b.t)
		}
	}
	return nil
}

type genericBinding struct {
	letter string
	t      *types.Type
}

func (g Generics) match(found []genericBinding, p *ParamType, a Arg) ([]genericBinding, bool) {
	if p.Kind == ParamGeneric {
		if a.Lambda != nil || a.Type == nil {
			return nil, false
		}
		return append(found, genericBinding{letter: p.Name, t: a.Type}), true
	}
	if p.Kind == ParamLambda {
		return g.matchLambda(found, p, a)
	}
	if a.Type == nil || paramKinds[p.Kind] != a.Type.Kind {
		return nil, false
	}
	ok := true
	switch {
	case !p.HasGenerics():
	case p.Kind == ParamArray:
		found, ok = g.match(found, p.Elem, Arg{Type: a.Type.Elem})
	case p.Kind == ParamMap:
		if found, ok = g.match(found, p.Key, Arg{Type: a.Type.Key}); ok {
			found, ok = g.match(found, p.Elem, Arg{Type: a.Type.Elem})
		}
	}
	return found, ok
}

func (g Generics) matchLambda(found []genericBinding, p *ParamType, a Arg) ([]genericBinding, bool) {
	if a.Lambda == nil || a.Lambda.Inputs != len(p.Inputs) {
		return nil, false
	}
	if a.Lambda.Types == nil {
		return found, true
	}
	ok := true
	for i, in := range p.Inputs {
		if found, ok = g.match(found, in, Arg{Type: a.Lambda.Types[i]}); !ok {
			return nil, false
		}
	}
	return g.match(found, p.Result, Arg{Type: a.Lambda.Result})
}

// Apply replaces the generic types in p by what they are bound to.
func (g Generics) Apply(p *ParamType) (*types.Type, error) {
	switch p.Kind {
	case ParamGeneric:
		t, ok := g[p.Name]
		if !ok {
			return nil, fmt.Errorf("Could not find mapping for generic type: %s", p.Name)
		}
		return t, nil
	case ParamArray:
		elem, err := g.Apply(p.Elem)
		if err != nil {
			return nil, err
		}
		return types.ArrayOf(elem), nil
	case ParamMap:
		key, err := g.Apply(p.Key)
		if err != nil {
			return nil, err
		}
		elem, err := g.Apply(p.Elem)
		if err != nil {
			return nil, err
		}
		return types.MapOf(key, elem), nil
	case ParamStruct:
		fields := make([]types.Field, len(p.Fields))
		for i, f := range p.Fields {
			t, err := g.Apply(f.Type)
			if err != nil {
				return nil, err
			}
			fields[i] = types.Field{Name: f.Name, Type: t}
		}
		return types.StructOf(fields...), nil
	default:
		t, ok := plainTypes[p.Kind]
		if !ok {
			return nil, fmt.Errorf("a parameter of type %s has no single SQL type", p)
		}
		return t, nil
	}
}

var plainTypes = map[ParamKind]*types.Type{
	ParamBoolean: types.Boolean, ParamInteger: types.Integer, ParamBigint: types.Bigint,
	ParamDouble: types.Double, ParamString: types.String, ParamBytes: types.Bytes,
	ParamTime: types.Time, ParamDate: types.Date, ParamTimestamp: types.Timestamp,
}

func compatible(a Arg, p *ParamType, widen bool) bool {
	if p.Kind == ParamAny {
		return true
	}
	if a.Lambda != nil {
		return compatibleLambda(a.Lambda, p, widen)
	}
	if a.Type == nil || p.Kind == ParamUnit || p.Kind == ParamLambda {
		return a.Unit && p.Kind == ParamUnit
	}
	switch {
	case a.Type.Kind == types.KindArray && p.Kind == ParamArray:
		return compatible(Arg{Type: a.Type.Elem}, p.Elem, widen)
	case a.Type.Kind == types.KindMap && p.Kind == ParamMap:
		return compatible(Arg{Type: a.Type.Key}, p.Key, widen) && compatible(Arg{Type: a.Type.Elem}, p.Elem, widen)
	case a.Type.Kind == types.KindStruct && p.Kind == ParamStruct:
		return compatibleStruct(a.Type, p)
	}
	to := paramKinds[p.Kind]
	return a.Type.Kind == to || widen && Widens(a.Type.Kind, to)
}

func compatibleLambda(l *LambdaArg, p *ParamType, widen bool) bool {
	if p.Kind != ParamLambda || l.Inputs != len(p.Inputs) {
		return false
	}
	if l.Types == nil {
		return true
	}
	for i, in := range p.Inputs {
		if !compatible(Arg{Type: l.Types[i]}, in, widen) {
			return false
		}
	}
	return compatible(Arg{Type: l.Result}, p.Result, widen)
}

func compatibleStruct(t *types.Type, p *ParamType) bool {
	if len(t.Fields) == 0 || len(p.Fields) == 0 {
		return true
	}
	for _, f := range p.Fields {
		i := t.FieldIndex(f.Name)
		if i < 0 || !compatible(Arg{Type: t.Fields[i].Type}, f.Type, false) {
			return false
		}
	}
	return len(t.Fields) == len(p.Fields)
}

// Widens reports whether a value of one base type is accepted, converted, where
// another is declared: INTEGER, BIGINT, DECIMAL, DOUBLE in this order, and text
// for times and bytes.
func Widens(from, to types.Kind) bool {
	if from == to {
		return true
	}
	if order, ok := wideningOrder[from]; ok {
		target, number := wideningOrder[to]
		return number && order <= target
	}
	if from != types.KindString {
		return false
	}
	return to == types.KindTime || to == types.KindDate || to == types.KindTimestamp || to == types.KindBytes
}

var wideningOrder = map[types.Kind]int{
	types.KindInteger: 1, types.KindBigint: 2, types.KindDecimal: 3, types.KindDouble: 4,
}

// String gives the argument's type as ksqlDB prints it in error texts.
func (a Arg) String() string {
	switch {
	case a.Lambda == nil:
		return a.Type.Unquoted()
	case a.Lambda.Types == nil:
		return "LAMBDA"
	default:
		parts := make([]string, len(a.Lambda.Types))
		for i, t := range a.Lambda.Types {
			parts[i] = t.String()
		}
		return "LAMBDA (" + strings.Join(parts, ", ") + ") => " + a.Lambda.Result.String()
	}
}

func argList(args []Arg) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.String()
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func alternatives(sigs []signature) string {
	lines := make([]string, len(sigs))
	for i, s := range sigs {
		parts := make([]string, len(s.params))
		for j, p := range s.params {
			text := p.Type.String()
			if p.Variadic {
				text += "..."
			}
			if p.Name != "" {
				text += " " + p.Name
			}
			parts[j] = text
		}
		lines[i] = s.display + "(" + strings.Join(parts, ", ") + ")"
	}
	return strings.Join(lines, "\n")
}

// isOpen reports whether a part of the type accepts several SQL types.
func (p *ParamType) isOpen() bool {
	switch p.Kind {
	case ParamAny, ParamDecimal, ParamStruct:
		return true
	case ParamArray:
		return p.Elem.isOpen()
	case ParamMap:
		return p.Key.isOpen() || p.Elem.isOpen()
	default:
		return false
	}
}

// Target is the type that an accepted argument is converted to before the call;
// nil where it is passed as it is.
func (p *ParamType) Target(arg *types.Type) (*types.Type, error) {
	switch p.Kind {
	case ParamAny, ParamUnit, ParamLambda, ParamStruct:
		return nil, nil
	case ParamDecimal:
		return types.AsDecimalType(arg)
	case ParamArray, ParamMap:
		if arg.Kind != paramKinds[p.Kind] || p.isOpen() {
			return nil, nil
		}
	}
	return Generics{}.Apply(p)
}

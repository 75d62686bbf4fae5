package function

import (
	"math"
	"math/big"
	"sync"
)

// Java's functions give nearly always the double nearest to the true value,
// Go's are often the one beside it. The functions here compute with twice the
// digits and round once.

// wide is the unevaluated sum of two doubles; lo is at most half a unit in the
// last place of hi.
type wide struct{ hi, lo float64 }

// sum adds two doubles without loss.
func sum(a, b float64) wide {
	s := a + b
	bb := s - a
	return wide{s, (a - (s - bb)) + (b - bb)}
}

func (x wide) add(y wide) wide {
	s := sum(x.hi, y.hi)
	t := sum(x.lo, y.lo)
	s = sum(s.hi, s.lo+t.hi)
	return sum(s.hi, s.lo+t.lo)
}

func (x wide) neg() wide { return wide{-x.hi, -x.lo} }

func (x wide) sub(y wide) wide { return x.add(y.neg()) }

func (x wide) mul(y wide) wide {
	p := x.hi * y.hi
	e := math.FMA(x.hi, y.hi, -p) + (x.hi*y.lo + x.lo*y.hi)
	return sum(p, e)
}

func (x wide) div(y wide) wide {
	q := x.hi / y.hi
	r := x.sub(y.mul(wide{hi: q}))
	q2 := r.hi / y.hi
	r = r.sub(y.mul(wide{hi: q2}))
	return sum(q, q2).add(wide{hi: r.hi / y.hi})
}

// halfPi is π/2 in three doubles.
var halfPi = [3]float64{1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33}

// maxReduced is up to where an angle is reduced with halfPi; beyond it the
// digits of halfPi do not suffice.
const maxReduced = 1 << 20

// reduce gives an angle less a multiple of π/2, and the multiple modulo 4.
func reduce(x float64) (r wide, quadrant int) {
	if math.Abs(x) <= math.Pi/4 {
		return wide{hi: x}, 0
	}
	if math.Abs(x) > maxReduced {
		return reduceLarge(x)
	}
	n := math.Round(x / halfPi[0])
	r = wide{hi: x}
	for _, part := range halfPi {
		p := n * part
		r = r.sub(wide{p, math.FMA(n, part, -p)})
	}
	return r, int(int64(n) & 3)
}

// largeBits are enough bits of π to reduce any double.
const largeBits = 1300

// largePi is π, computed by Machin's formula.
var largePi = sync.OnceValue(func() *big.Float {
	one := new(big.Int).Lsh(big.NewInt(1), largeBits)
	arctan := func(inverse int64) *big.Int {
		term := new(big.Int).Quo(one, big.NewInt(inverse))
		total, square := new(big.Int).Set(term), big.NewInt(inverse*inverse)
		for k := int64(3); term.Sign() != 0; k += 2 {
			term.Neg(term.Quo(term, square))
			total.Add(total, new(big.Int).Quo(term, big.NewInt(k)))
		}
		return total
	}
	pi := arctan(5)
	pi.Mul(pi, big.NewInt(16)).Sub(pi, new(big.Int).Mul(arctan(239), big.NewInt(4)))
	f := new(big.Float).SetPrec(largeBits).SetInt(pi)
	return f.SetMantExp(f, -largeBits)
})

func reduceLarge(x float64) (r wide, quadrant int) {
	half := new(big.Float).SetPrec(largeBits).Quo(largePi(), big.NewFloat(2))
	q := new(big.Float).SetPrec(largeBits).Quo(big.NewFloat(x), half)
	q.Add(q, big.NewFloat(math.Copysign(0.5, x)))
	n, _ := q.Int(nil)
	rest := new(big.Float).SetPrec(largeBits).SetInt(n)
	rest.Sub(big.NewFloat(x), rest.Mul(rest, half))
	r.hi, _ = rest.Float64()
	r.lo, _ = rest.Sub(rest, big.NewFloat(r.hi)).Float64()
	return r, int(new(big.Int).And(n, big.NewInt(3)).Int64())
}

// sinCos are the sine and the cosine of an angle.
func sinCos(x float64) (sin, cos wide) {
	r, quadrant := reduce(x)
	square := r.mul(r)
	sin, cos = r, wide{hi: 1}
	odd, even := r, wide{hi: 1}
	for k := 1.0; k < 30; k += 2 {
		even = even.mul(square).div(wide{hi: -k * (k + 1)})
		odd = odd.mul(square).div(wide{hi: -(k + 1) * (k + 2)})
		cos, sin = cos.add(even), sin.add(odd)
	}
	switch quadrant {
	case 1:
		return cos, sin.neg()
	case 2:
		return sin.neg(), cos.neg()
	case 3:
		return cos.neg(), sin
	default:
		return sin, cos
	}
}

// unusual are the arguments that need no more than Go's own functions.
func unusual(x float64) bool { return x == 0 || math.IsNaN(x) || math.IsInf(x, 0) }

func preciseSin(x float64) float64 {
	if unusual(x) {
		return math.Sin(x)
	}
	sin, _ := sinCos(x)
	return sin.hi
}

func preciseCos(x float64) float64 {
	if unusual(x) {
		return math.Cos(x)
	}
	_, cos := sinCos(x)
	return cos.hi
}

func preciseTan(x float64) float64 {
	if unusual(x) {
		return math.Tan(x)
	}
	sin, cos := sinCos(x)
	return sin.div(cos).hi
}

// The inverse functions take one step of Newton's method from Go's value.

func preciseAsin(x float64) float64 {
	y := math.Asin(x)
	if unusual(y) || math.Abs(x) == 1 {
		return y
	}
	sin, cos := sinCos(y)
	return wide{hi: y}.sub(sin.sub(wide{hi: x}).div(cos)).hi
}

func preciseAcos(x float64) float64 {
	y := math.Acos(x)
	if unusual(y) || math.Abs(x) == 1 {
		return y
	}
	sin, cos := sinCos(y)
	return wide{hi: y}.add(cos.sub(wide{hi: x}).div(sin)).hi
}

func preciseAtan(x float64) float64 {
	y := math.Atan(x)
	if unusual(y) || math.Abs(x) > 1e15 {
		return y
	}
	sin, cos := sinCos(y)
	w := wide{hi: x}
	return wide{hi: y}.sub(sin.sub(cos.mul(w)).div(cos.add(sin.mul(w)))).hi
}

func preciseCbrt(x float64) float64 {
	y := math.Cbrt(x)
	if unusual(y) || math.Abs(x) < 1e-290 || math.Abs(x) > 1e290 {
		return y
	}
	w := wide{hi: y}
	square := w.mul(w)
	return w.sub(square.mul(w).sub(wide{hi: x}).div(square.mul(wide{hi: 3}))).hi
}

// ln2 in three doubles.
var ln2 = [3]float64{0.6931471805599453, 2.3190468138462996e-17, 5.707708438416212e-34}

// preciseExp is e to a power of moderate size: |x| < 700.
func preciseExp(x float64) wide {
	n := math.Round(x / ln2[0])
	r := wide{hi: x}
	for _, part := range ln2 {
		p := n * part
		r = r.sub(wide{p, math.FMA(n, part, -p)})
	}
	total, term := wide{hi: 1}, wide{hi: 1}
	for k := 1.0; k < 28; k++ {
		term = term.mul(r).div(wide{hi: k})
		total = total.add(term)
	}
	return wide{math.Ldexp(total.hi, int(n)), math.Ldexp(total.lo, int(n))}
}

func preciseLog(x float64) float64 {
	y := math.Log(x)
	if unusual(y) || math.Abs(y) > 650 {
		return y
	}
	// x = e^y (1 + d), so the logarithm is y + d for a tiny d.
	d := wide{hi: x}.mul(preciseExp(-y)).sub(wide{hi: 1})
	return wide{hi: y}.add(d).hi
}

// javaSinh is the formula of Java's StrictMath for arguments of moderate size.
func javaSinh(x float64) float64 {
	if unusual(x) || math.Abs(x) >= 22 {
		return math.Sinh(x)
	}
	t := math.Expm1(math.Abs(x))
	if math.Abs(x) < 1 {
		return math.Copysign(0.5, x) * (2*t - t*t/(t+1))
	}
	return math.Copysign(0.5, x) * (t + t/(t+1))
}

package search

import (
	"math"
	"strconv"
	"strings"
)

// A geo_point is one number: 32 bits of latitude, then 32 bits of longitude, as
// Lucene's doc values have it.

func geoNumber(lat, lon float64) int64 {
	y := int64(math.Floor(lat / (180.0 / (1 << 32))))
	x := int64(math.Floor(lon / (360.0 / (1 << 32))))
	y, x = min(y, math.MaxInt32), min(x, math.MaxInt32)
	return y<<32 | x&0xffffffff
}

func geoCoordinates(raw int64) (lat, lon float64) {
	return float64(int32(raw>>32)) * (180.0 / (1 << 32)), float64(int32(raw)) * (360.0 / (1 << 32))
}

// parseGeoPoint reads a point: {"lat","lon"}, [lon, lat], "lat,lon" or a geohash.
func parseGeoPoint(v *node) (lat, lon float64, _ *apiError) {
	wrong := func() *apiError { return newError(400, "parse_exception", "geo_point expected") }
	number := func(n *node) (float64, *apiError) {
		if n == nil {
			return 0, newError(400, "parse_exception", "field [lat] or [lon] missing")
		}
		text, _ := n.scalar()
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, newError(400, "parse_exception", "[%s] must be a valid double value", text)
		}
		return f, nil
	}
	var err *apiError
	switch v.kind {
	case kindObject:
		if c := v.get("coordinates"); c != nil {
			return parseGeoPoint(c)
		}
		if lat, err = number(v.get("lat")); err == nil {
			lon, err = number(v.get("lon"))
		}
	case kindArray:
		if len(v.elements) < 2 {
			return 0, 0, wrong()
		}
		if lon, err = number(v.elements[0]); err == nil {
			lat, err = number(v.elements[1])
		}
	case kindString:
		if first, second, pair := strings.Cut(v.text, ","); pair {
			a, errA := strconv.ParseFloat(strings.TrimSpace(first), 64)
			b, errB := strconv.ParseFloat(strings.TrimSpace(second), 64)
			if errA != nil || errB != nil {
				return 0, 0, newError(400, "parse_exception", "latitude or longitude of [%s] is no number", v.text)
			}
			lat, lon = a, b
			break
		}
		var ok bool
		if lat, lon, ok = geohash(v.text); !ok {
			return 0, 0, newError(400, "parse_exception", "unsupported symbol in geohash [%s]", v.text)
		}
	default:
		return 0, 0, wrong()
	}
	if err != nil {
		return 0, 0, err
	}
	switch {
	case lat > 90 || lat < -90:
		return 0, 0, illegalArgument("illegal latitude value [%s] for geo_point", javaFloat(lat, 64))
	case lon > 180 || lon < -180:
		return 0, 0, illegalArgument("illegal longitude value [%s] for geo_point", javaFloat(lon, 64))
	}
	return lat, lon, nil
}

// geohash gives the south-western corner of a geohash.
func geohash(text string) (lat, lon float64, ok bool) {
	const letters = "0123456789bcdefghjkmnpqrstuvwxyz"
	south, north, west, east := -90.0, 90.0, -180.0, 180.0
	even := true
	for _, r := range strings.ToLower(text) {
		i := strings.IndexRune(letters, r)
		if i < 0 {
			return 0, 0, false
		}
		for bit := 4; bit >= 0; bit-- {
			on := i>>bit&1 == 1
			if even {
				if middle := (west + east) / 2; on {
					west = middle
				} else {
					east = middle
				}
			} else if middle := (south + north) / 2; on {
				south = middle
			} else {
				north = middle
			}
			even = !even
		}
	}
	return south, west, text != ""
}

// geoMetric makes the metrics of points: their bounds or their centroid.
type geoMetric struct {
	slot                     int
	body                     *metricBody
	count                    int64
	lat, lon                 compensated
	south, north, west, east float64
}

func (g *geoMetric) collect(p *aggPart, b *batch) error {
	v := p.bound[g.slot].(*fieldValues)
	return b.each(func(_ *batch, doc uint64) error { return g.collectOne(v, doc) })
}

func (g *geoMetric) collectOne(v *fieldValues, doc uint64) error {
	list, err := v.numbers(doc)
	for _, raw := range list {
		lat, lon := geoCoordinates(raw)
		if g.count == 0 {
			g.south, g.north, g.west, g.east = lat, lat, lon, lon
		}
		g.count++
		g.lat.add(lat)
		g.lon.add(lon)
		g.south, g.north = math.Min(g.south, lat), math.Max(g.north, lat)
		g.west, g.east = math.Min(g.west, lon), math.Max(g.east, lon)
	}
	return err
}

func (g *geoMetric) flush(*aggPart) error { return nil }
func (g *geoMetric) typed() string        { return g.body.kind }

func (g *geoMetric) metric(name string) (float64, bool) {
	return float64(g.count), name == "count" && g.body.kind == "geo_centroid"
}

func (g *geoMetric) result(*aggResult) (object, error) {
	point := func(lat, lon float64) object { return object{{"lat", lat}, {"lon", lon}} }
	n := float64(g.count)
	switch {
	case g.body.kind == "geo_centroid" && g.count == 0:
		return object{{"count", 0}}, nil
	case g.body.kind == "geo_centroid":
		return object{{"location", point(g.lat.sum/n, g.lon.sum/n)}, {"count", g.count}}, nil
	case g.count == 0:
		return object{}, nil
	default:
		return object{{"bounds", object{{"top_left", point(g.north, g.west)}, {"bottom_right", point(g.south, g.east)}}}}, nil
	}
}

// geoQuery finds points: in a box, or around a point.
type geoQuery struct {
	field                    string
	south, north, west, east float64
	lat, lon, meters         float64 // around, when meters is above 0
	unmapped                 bool    // ignore_unmapped
	boost                    float32
}

const earthRadius = 6371008.7714 // metres, as Lucene has it

func geoDistance(lat1, lon1, lat2, lon2 float64) float64 {
	rad := math.Pi / 180
	a := math.Sin((lat2 - lat1) * rad / 2)
	b := math.Sin((lon2 - lon1) * rad / 2)
	h := a*a + math.Cos(lat1*rad)*math.Cos(lat2*rad)*b*b
	return 2 * earthRadius * math.Asin(math.Sqrt(math.Min(1, h)))
}

func (q *geoQuery) build(x *execution) (iterator, error) {
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ == "object" {
		if q.unmapped {
			return noneIterator{}, nil
		}
		return nil, queryShard(x.ix, "failed to find geo field [%s]", q.field)
	}
	if m.typ != "geo_point" {
		return nil, queryShard(x.ix, "Field [%s] is of unsupported type [%s] for a geo query", q.field, m.typ)
	}
	if q.meters == 0 { // points are kept a little to the south-west of where they are
		inner := *q
		inner.south, inner.west = geoCoordinates(geoNumber(q.south, q.west))
		q = &inner
	}
	docs := x.newDocSet()
	err := docs.terms(m.path, "", func(term string) verdict {
		if q.has(geoCoordinates(exactValue([]byte(term)))) {
			return takeTerm
		}
		return skipTerm
	})
	return newBitmapIterator(docs.whole(), q.boost), err
}

func (q *geoQuery) has(lat, lon float64) bool {
	if q.meters > 0 {
		return geoDistance(q.lat, q.lon, lat, lon) <= q.meters
	}
	if lat < q.south || lat > q.north {
		return false
	}
	if q.west <= q.east {
		return lon >= q.west && lon <= q.east
	}
	return lon >= q.west || lon <= q.east // across the date line
}

var distanceUnits = []struct {
	suffix string
	meters float64
}{
	{"kilometers", 1000}, {"km", 1000}, {"miles", 1609.344}, {"mi", 1609.344}, {"yards", 0.9144}, {"yd", 0.9144},
	{"feet", 0.3048}, {"ft", 0.3048}, {"inch", 0.0254}, {"in", 0.0254}, {"nauticalmiles", 1852}, {"NM", 1852}, {"nmi", 1852},
	{"centimeters", 0.01}, {"cm", 0.01}, {"millimeters", 0.001}, {"mm", 0.001}, {"meters", 1}, {"m", 1}, {"", 1},
}

func parseDistance(text string) (float64, *apiError) {
	for _, u := range distanceUnits {
		if number, ok := strings.CutSuffix(text, u.suffix); ok {
			if f, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil {
				return f * u.meters, nil
			}
		}
	}
	return 0, newError(400, "number_format_exception", "For input string: \"%s\"", text)
}

func parseGeoQuery(_ *parseState, name string, n *node) (query, *apiError) {
	q := &geoQuery{}
	var err *apiError
	if q.boost, err = boostOf(n); err != nil {
		return nil, err
	}
	for _, m := range n.members {
		switch m.name {
		case "boost", "_name", "validation_method", "distance_type", "type":
		case "ignore_unmapped":
			q.unmapped = m.value.kind == kindTrue
		case "distance":
			text, _ := m.value.scalar()
			if q.meters, err = parseDistance(text); err != nil {
				return nil, err
			}
		default:
			q.field = m.name
			if name == "geo_distance" {
				q.lat, q.lon, err = parseGeoPoint(m.value)
			} else {
				err = q.parseBox(m.value)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	switch {
	case q.field == "":
		return nil, parsingError(n.src, n.end-1, "failed to parse [%s] query. field name is missing", name)
	case name == "geo_distance" && q.meters <= 0:
		return nil, parsingError(n.src, n.end-1, "geo_distance requires 'distance' to be specified")
	}
	return q, nil
}

func (q *geoQuery) parseBox(v *node) *apiError {
	if v.kind != kindObject {
		return newError(400, "parse_exception", "failed to parse bounding box. Expected start object but got [%s]", v.token())
	}
	for _, m := range v.members {
		var err *apiError
		switch m.name {
		case "top_left":
			q.north, q.west, err = parseGeoPoint(m.value)
		case "bottom_right":
			q.south, q.east, err = parseGeoPoint(m.value)
		case "top_right":
			q.north, q.east, err = parseGeoPoint(m.value)
		case "bottom_left":
			q.south, q.west, err = parseGeoPoint(m.value)
		case "top":
			q.north, err = number64(m.value)
		case "bottom":
			q.south, err = number64(m.value)
		case "left":
			q.west, err = number64(m.value)
		case "right":
			q.east, err = number64(m.value)
		default:
			err = newError(400, "parse_exception", "failed to parse bounding box. unexpected field [%s]", m.name)
		}
		if err != nil {
			return err
		}
	}
	if q.north < q.south {
		return illegalArgument("top is below bottom corner: %s vs. %s", javaFloat(q.north, 64), javaFloat(q.south, 64))
	}
	return nil
}

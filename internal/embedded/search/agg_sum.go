package search

import "math"

// compensated adds up numbers and keeps what rounding takes away (Kahan).
type compensated struct{ sum, lost float64 }

func (c *compensated) add(v float64) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		c.sum += v
		return
	}
	corrected := v - c.lost
	sum := c.sum + corrected
	c.lost = (sum - c.sum) - corrected
	c.sum = sum
}

// sumLanes is how many sums are made side by side, as each step of one has to wait
// for the step before.
const sumLanes = 4

// addAll adds up many numbers.
func (c *compensated) addAll(values []float64) {
	var lanes [sumLanes]compensated
	rest := values
	for len(rest) >= sumLanes {
		for i, v := range rest[:sumLanes] {
			lane := &lanes[i]
			corrected := v - lane.lost
			sum := lane.sum + corrected
			lane.lost = (sum - lane.sum) - corrected
			lane.sum = sum
		}
		rest = rest[sumLanes:]
	}
	total := compensated{}
	for _, lane := range lanes {
		total.add(lane.sum)
		total.add(-lane.lost)
	}
	for _, v := range rest {
		total.add(v)
	}
	if math.IsInf(total.sum, 0) || math.IsNaN(total.sum) {
		for _, v := range values {
			c.add(v)
		}
		return
	}
	c.add(total.sum)
	c.add(-total.lost)
}

package parser

import "testing"

func BenchmarkParse(b *testing.B) {
	const sql = `INSERT INTO order_validations_out
	  SELECT id, AS_VALUE(id) AS orderId, 'ORDER_DETAILS_CHECK' AS checkType,
	    CASE WHEN quantity > 0 AND price >= 0 AND product IN ('JUMPERS', 'UNDERPANTS') THEN 'PASS' ELSE 'FAIL' END AS result
	  FROM orders_stream WHERE state = 'CREATED' PARTITION BY id EMIT CHANGES;`
	b.SetBytes(int64(len(sql)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(sql); err != nil {
			b.Fatal(err)
		}
	}
}

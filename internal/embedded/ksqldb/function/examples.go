package function

// examples are the examples of each function, by its name in upper case.
var examples = map[string][]Example{
	"ABS": {
		{Call: "ABS(-7)", Result: "7"},
		{Call: "ABS(-2.50)", Result: "2.50"},
	},
	"ACOS": {
		{Call: "ACOS(1)", Result: "0.0"},
	},
	"ARRAY_CONCAT": {
		{Call: "ARRAY_CONCAT(ARRAY[1, 2], ARRAY[2, 3])", Result: "[1, 2, 2, 3]"},
	},
	"ARRAY_CONTAINS": {
		{Call: "ARRAY_CONTAINS(ARRAY['a', 'b'], 'b')", Result: "true"},
	},
	"ARRAY_DISTINCT": {
		{Call: "ARRAY_DISTINCT(ARRAY[1, 2, 1, 3])", Result: "[1, 2, 3]"},
	},
	"ARRAY_EXCEPT": {
		{Call: "ARRAY_EXCEPT(ARRAY[1, 2, 3, 1], ARRAY[2])", Result: "[1, 3]"},
	},
	"ARRAY_INTERSECT": {
		{Call: "ARRAY_INTERSECT(ARRAY[1, 2, 3], ARRAY[3, 2, 5])", Result: "[2, 3]"},
	},
	"ARRAY_JOIN": {
		{Call: "ARRAY_JOIN(ARRAY[1, 2, 3])", Result: "1,2,3"},
		{Call: "ARRAY_JOIN(ARRAY['a', 'b'], ' - ')", Result: "a - b"},
	},
	"ARRAY_LENGTH": {
		{Call: "ARRAY_LENGTH(ARRAY[4, 5, 6])", Result: "3"},
	},
	"ARRAY_MAX": {
		{Call: "ARRAY_MAX(ARRAY[3, 9, 4])", Result: "9"},
	},
	"ARRAY_MIN": {
		{Call: "ARRAY_MIN(ARRAY[3, 9, 4])", Result: "3"},
	},
	"ARRAY_REMOVE": {
		{Call: "ARRAY_REMOVE(ARRAY[1, 2, 1, 3], 1)", Result: "[2, 3]"},
	},
	"ARRAY_SORT": {
		{Call: "ARRAY_SORT(ARRAY[3, 1, 2])", Result: "[1, 2, 3]"},
		{Call: "ARRAY_SORT(ARRAY[3, 1, 2], 'DESC')", Result: "[3, 2, 1]"},
	},
	"ARRAY_UNION": {
		{Call: "ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", Result: "[1, 2, 3]"},
	},
	"ASIN": {
		{Call: "ASIN(0)", Result: "0.0"},
	},
	"AS_MAP": {
		{Call: "AS_MAP(ARRAY['a', 'b'], ARRAY[1, 2])", Result: "{a=1, b=2}"},
	},
	"AS_VALUE": {
		{Call: "AS_VALUE(5)", Result: "5"},
	},
	"ATAN": {
		{Call: "ATAN(0)", Result: "0.0"},
	},
	"ATAN2": {
		{Call: "ATAN2(0, 1)", Result: "0.0"},
	},
	"ATTR": {
		{Call: "ATTR(x)", Rows: [][]string{{"'a'"}, {"'a'"}}, Result: "a"},
		{Call: "ATTR(x)", Rows: [][]string{{"'a'"}, {"'b'"}}, Result: "null"},
	},
	"AVG": {
		{Call: "AVG(x)", Rows: [][]string{{"1"}, {"2"}, {"6"}}, Result: "3.0"},
	},
	"BIGINT_FROM_BYTES": {
		{Call: "BIGINT_FROM_BYTES(TO_BYTES('000000000000002A', 'hex'))", Result: "42"},
		{Call: "BIGINT_FROM_BYTES(TO_BYTES('2A00000000000000', 'hex'), 'LITTLE_ENDIAN')", Result: "42"},
	},
	"CBRT": {
		{Call: "CBRT(27)", Result: "3.0"},
	},
	"CEIL": {
		{Call: "CEIL(2.1)", Result: "3.0"},
		{Call: "CEIL(-2.9e0)", Result: "-2.0"},
	},
	"CHR": {
		{Call: "CHR(75)", Result: "K"},
		{Call: `CHR('\u004b')`, Result: "K"},
	},
	"COALESCE": {
		{Call: "COALESCE(CAST(NULL AS STRING), 'first', 'second')", Result: "first"},
	},
	"COLLECT_LIST": {
		{Call: "COLLECT_LIST(x)", Rows: [][]string{{"1"}, {"NULL"}, {"1"}}, Result: "[1, null, 1]"},
	},
	"COLLECT_SET": {
		{Call: "COLLECT_SET(x)", Rows: [][]string{{"'b'"}, {"'a'"}, {"'b'"}}, Result: "[b, a]"},
	},
	"CONCAT": {
		{Call: "CONCAT('order', '-', '17')", Result: "order-17"},
	},
	"CONCAT_WS": {
		{Call: "CONCAT_WS(', ', 'a', NULL, 'c')", Result: "a, c"},
	},
	"CONVERT_TZ": {
		{Call: "CONVERT_TZ(PARSE_TIMESTAMP('2024-03-01 12:00', 'yyyy-MM-dd HH:mm'), 'UTC', 'America/New_York')", Result: "2024-03-01T07:00:00.000"},
	},
	"CORRELATION": {
		{Call: "CORRELATION(x, y)", Rows: [][]string{{"1", "2"}, {"2", "4"}, {"3", "6"}}, Result: "1.0"},
	},
	"COS": {
		{Call: "COS(0)", Result: "1.0"},
	},
	"COSH": {
		{Call: "COSH(0)", Result: "1.0"},
	},
	"COT": {
		{Call: "COT(1)", Result: "0.6420926159343306"},
	},
	"COUNT": {
		{Call: "COUNT(x)", Rows: [][]string{{"1"}, {"NULL"}, {"3"}}, Result: "2"},
		{Call: "COUNT(*)", Rows: [][]string{{"1"}, {"NULL"}, {"3"}}, Result: "3"},
	},
	"COUNT_DISTINCT": {
		{Call: "COUNT_DISTINCT(x)", Rows: [][]string{{"'a'"}, {"'b'"}, {"'a'"}}, Result: "2"},
	},
	"CUBE_EXPLODE": {
		{Call: "CUBE_EXPLODE(ARRAY['a', 'b'])", Result: "[null, null]; [null, b]; [a, null]; [a, b]"},
	},
	"DATEADD": {
		{Call: "DATEADD(DAYS, 3, PARSE_DATE('2024-02-27', 'yyyy-MM-dd'))", Result: "2024-03-01"},
	},
	"DATESUB": {
		{Call: "DATESUB(DAYS, 1, PARSE_DATE('2024-03-01', 'yyyy-MM-dd'))", Result: "2024-02-29"},
	},
	"DATETOSTRING": {
		{Call: "DATETOSTRING(19783, 'dd.MM.yyyy')", Result: "01.03.2024"},
	},
	"DEGREES": {
		{Call: "DEGREES(PI())", Result: "180.0"},
	},
	"DOUBLE_FROM_BYTES": {
		{Call: "DOUBLE_FROM_BYTES(TO_BYTES('3FF8000000000000', 'hex'))", Result: "1.5"},
	},
	"EARLIEST_BY_OFFSET": {
		{Call: "EARLIEST_BY_OFFSET(x)", Rows: [][]string{{"1"}, {"2"}, {"3"}}, Result: "1"},
		{Call: "EARLIEST_BY_OFFSET(x, 2)", Rows: [][]string{{"1"}, {"2"}, {"3"}}, Result: "[1, 2]"},
		{Call: "EARLIEST_BY_OFFSET(x, FALSE)", Rows: [][]string{{"NULL"}, {"2"}}, Result: "null"},
	},
	"ELT": {
		{Call: "ELT(2, 'a', 'b', 'c')", Result: "b"},
	},
	"ENCODE": {
		{Call: "ENCODE('hello', 'utf8', 'hex')", Result: "68656c6c6f"},
	},
	"ENTRIES": {
		{Call: "ENTRIES(MAP('b' := 2, 'a' := 1), TRUE)", Result: "[Struct{K=a,V=1}, Struct{K=b,V=2}]"},
	},
	"EXP": {
		{Call: "EXP(0)", Result: "1.0"},
	},
	"EXPLODE": {
		{Call: "EXPLODE(ARRAY[1, 2, 3])", Result: "1; 2; 3"},
	},
	"EXTRACTJSONFIELD": {
		{Call: `EXTRACTJSONFIELD('{"a": [{"b": "found"}]}', '$.a[0].b')`, Result: "found"},
	},
	"FIELD": {
		{Call: "FIELD('b', 'a', 'b', 'c')", Result: "2"},
	},
	"FILTER": {
		{Call: "FILTER(ARRAY[1, 2, 3, 4], x => x > 2)", Result: "[3, 4]"},
		{Call: "FILTER(MAP('a' := 1, 'b' := 2), (k, v) => v = 2)", Result: "{b=2}"},
	},
	"FLOOR": {
		{Call: "FLOOR(2.9)", Result: "2.0"},
		{Call: "FLOOR(-2.1e0)", Result: "-3.0"},
	},
	"FORMAT_DATE": {
		{Call: "FORMAT_DATE(FROM_DAYS(19783), 'dd.MM.yyyy')", Result: "01.03.2024"},
	},
	"FORMAT_TIME": {
		{Call: "FORMAT_TIME(PARSE_TIME('17:05', 'HH:mm'), 'hh:mm a')", Result: "05:05 PM"},
	},
	"FORMAT_TIMESTAMP": {
		{Call: "FORMAT_TIMESTAMP(FROM_UNIXTIME(1709251200000), 'yyyy-MM-dd HH:mm')", Result: "2024-03-01 00:00"},
		{Call: "FORMAT_TIMESTAMP(FROM_UNIXTIME(1709251200000), 'HH:mm z', 'Europe/Prague')", Result: "01:00 CET"},
	},
	"FROM_BYTES": {
		{Call: "FROM_BYTES(TO_BYTES('68690A', 'hex'), 'base64')", Result: "aGkK"},
	},
	"FROM_DAYS": {
		{Call: "FROM_DAYS(19783)", Result: "2024-03-01"},
	},
	"FROM_UNIXTIME": {
		{Call: "FROM_UNIXTIME(1709251200000)", Result: "2024-03-01T00:00:00.000"},
	},
	"GENERATE_SERIES": {
		{Call: "GENERATE_SERIES(1, 5)", Result: "[1, 2, 3, 4, 5]"},
		{Call: "GENERATE_SERIES(10, 1, -3)", Result: "[10, 7, 4, 1]"},
	},
	"GEO_DISTANCE": {
		{Call: "ROUND(GEO_DISTANCE(50.08, 14.43, 48.21, 16.37))", Result: "251"},
		{Call: "ROUND(GEO_DISTANCE(50.08, 14.43, 48.21, 16.37, 'miles'))", Result: "156"},
	},
	"GREATEST": {
		{Call: "GREATEST(3, NULL, 8, 5)", Result: "8"},
	},
	"HISTOGRAM": {
		{Call: "HISTOGRAM(x)", Rows: [][]string{{"'a'"}, {"'b'"}, {"'a'"}}, Result: "{a=2, b=1}"},
	},
	"IFNULL": {
		{Call: "IFNULL(CAST(NULL AS STRING), 'none')", Result: "none"},
	},
	"INITCAP": {
		{Call: "INITCAP('hello wORLD')", Result: "Hello World"},
	},
	"INSTR": {
		{Call: "INSTR('banana', 'an')", Result: "2"},
		{Call: "INSTR('banana', 'an', 1, 2)", Result: "4"},
	},
	"INT_FROM_BYTES": {
		{Call: "INT_FROM_BYTES(TO_BYTES('0000002A', 'hex'))", Result: "42"},
	},
	"IS_JSON_STRING": {
		{Call: "IS_JSON_STRING('[1, 2]')", Result: "true"},
		{Call: "IS_JSON_STRING('[1, 2')", Result: "false"},
	},
	"JSON_ARRAY_CONTAINS": {
		{Call: "JSON_ARRAY_CONTAINS('[1, 2, 3]', 2)", Result: "true"},
	},
	"JSON_ARRAY_LENGTH": {
		{Call: "JSON_ARRAY_LENGTH('[1, 2, 3]')", Result: "3"},
	},
	"JSON_CONCAT": {
		{Call: `JSON_CONCAT('{"a": 1}', '{"b": 2}')`, Result: `{"a":1,"b":2}`},
	},
	"JSON_ITEMS": {
		{Call: `JSON_ITEMS('[{"a": 1}, 2]')`, Result: `[{"a":1}, 2]`},
	},
	"JSON_KEYS": {
		{Call: `JSON_KEYS('{"a": 1, "b": 2}')`, Result: "[a, b]"},
	},
	"JSON_RECORDS": {
		{Call: `JSON_RECORDS('{"a": 1, "b": "x"}')`, Result: "{a=1, b=x}"},
	},
	"LATEST_BY_OFFSET": {
		{Call: "LATEST_BY_OFFSET(x)", Rows: [][]string{{"1"}, {"2"}, {"NULL"}}, Result: "2"},
		{Call: "LATEST_BY_OFFSET(x, 2)", Rows: [][]string{{"1"}, {"2"}, {"3"}}, Result: "[2, 3]"},
		{Call: "LATEST_BY_OFFSET(x, FALSE)", Rows: [][]string{{"1"}, {"2"}, {"NULL"}}, Result: "null"},
	},
	"LCASE": {
		{Call: "LCASE('Hello')", Result: "hello"},
	},
	"LEAST": {
		{Call: "LEAST(3, NULL, 8, 5)", Result: "3"},
	},
	"LEN": {
		{Call: "LEN('hello')", Result: "5"},
		{Call: "LEN(TO_BYTES('0A0B', 'hex'))", Result: "2"},
	},
	"LN": {
		{Call: "LN(1)", Result: "0.0"},
	},
	"LOG": {
		{Call: "LOG(1)", Result: "0.0"},
		{Call: "LOG(2, 8)", Result: "3.0"},
	},
	"LPAD": {
		{Call: "LPAD('7', 3, '0')", Result: "007"},
	},
	"MAP_KEYS": {
		{Call: "MAP_KEYS(MAP('a' := 1))", Result: "[a]"},
	},
	"MAP_UNION": {
		{Call: "MAP_UNION(MAP('a' := 1, 'b' := 2), MAP('b' := 3))", Result: "{a=1, b=3}"},
	},
	"MAP_VALUES": {
		{Call: "MAP_VALUES(MAP('a' := 1))", Result: "[1]"},
	},
	"MASK": {
		{Call: "MASK('Card 1234')", Result: "Xxxx-nnnn"},
		{Call: "MASK('Card 1234', '*', NULL, '#', NULL)", Result: "*ard ####"},
	},
	"MASK_KEEP_LEFT": {
		{Call: "MASK_KEEP_LEFT('Card 1234', 4)", Result: "Card-nnnn"},
	},
	"MASK_KEEP_RIGHT": {
		{Call: "MASK_KEEP_RIGHT('Card 1234', 4)", Result: "Xxxx-1234"},
	},
	"MASK_LEFT": {
		{Call: "MASK_LEFT('Card 1234', 2)", Result: "Xxrd 1234"},
	},
	"MASK_RIGHT": {
		{Call: "MASK_RIGHT('Card 1234', 2)", Result: "Card 12nn"},
	},
	"MAX": {
		{Call: "MAX(x)", Rows: [][]string{{"3"}, {"9"}, {"4"}}, Result: "9"},
	},
	"MD5": {
		{Call: "MD5('hello')", Result: "5d41402abc4b2a76b9719d911017c592"},
	},
	"MIN": {
		{Call: "MIN(x)", Rows: [][]string{{"3"}, {"9"}, {"4"}}, Result: "3"},
	},
	"NULLIF": {
		{Call: "NULLIF('a', 'a')", Result: "null"},
		{Call: "NULLIF('a', 'b')", Result: "a"},
	},
	"PARSE_DATE": {
		{Call: "PARSE_DATE('01.03.2024', 'dd.MM.yyyy')", Result: "2024-03-01"},
	},
	"PARSE_TIME": {
		{Call: "PARSE_TIME('05:07 PM', 'hh:mm a')", Result: "17:07"},
	},
	"PARSE_TIMESTAMP": {
		{Call: "PARSE_TIMESTAMP('2024-03-01 12:00', 'yyyy-MM-dd HH:mm')", Result: "2024-03-01T12:00:00.000"},
		{Call: "PARSE_TIMESTAMP('2024-03-01 12:00', 'yyyy-MM-dd HH:mm', 'Europe/Prague')", Result: "2024-03-01T11:00:00.000"},
	},
	"PI": {
		{Call: "PI()", Result: "3.141592653589793"},
	},
	"POWER": {
		{Call: "POWER(2, 10)", Result: "1024.0"},
	},
	"RADIANS": {
		{Call: "ROUND(RADIANS(180), 4)", Result: "3.1416"},
	},
	"RANDOM": {
		{Call: "RANDOM() < 1", Result: "true"},
	},
	"REDUCE": {
		{Call: "REDUCE(ARRAY[1, 2, 3], 10, (sum, x) => sum + x)", Result: "16"},
		{Call: "REDUCE(MAP('a' := 1, 'b' := 2), 0, (sum, k, v) => sum + v)", Result: "3"},
	},
	"REGEXP_EXTRACT": {
		{Call: "REGEXP_EXTRACT('[0-9]+', 'order 17 of 20')", Result: "17"},
		{Call: `REGEXP_EXTRACT('(\w+)@(\w+)', 'joe@example', 2)`, Result: "example"},
	},
	"REGEXP_EXTRACT_ALL": {
		{Call: "REGEXP_EXTRACT_ALL('[0-9]+', 'order 17 of 20')", Result: "[17, 20]"},
	},
	"REGEXP_REPLACE": {
		{Call: "REGEXP_REPLACE('a1b22', '[0-9]+', '-')", Result: "a-b-"},
	},
	"REGEXP_SPLIT_TO_ARRAY": {
		{Call: "REGEXP_SPLIT_TO_ARRAY('a, b;c', '[,;] *')", Result: "[a, b, c]"},
	},
	"REPLACE": {
		{Call: "REPLACE('banana', 'an', 'AN')", Result: "bANANa"},
	},
	"ROUND": {
		{Call: "ROUND(2.5)", Result: "3"},
		{Call: "ROUND(2.345, 2)", Result: "2.350"},
	},
	"RPAD": {
		{Call: "RPAD('7', 3, '.')", Result: "7.."},
	},
	"SIGN": {
		{Call: "SIGN(-12)", Result: "-1"},
	},
	"SIN": {
		{Call: "SIN(0)", Result: "0.0"},
	},
	"SINH": {
		{Call: "SINH(0)", Result: "0.0"},
	},
	"SLICE": {
		{Call: "SLICE(ARRAY['a', 'b', 'c', 'd'], 2, 3)", Result: "[b, c]"},
	},
	"SPLIT": {
		{Call: "SPLIT('a,b,c', ',')", Result: "[a, b, c]"},
	},
	"SPLIT_TO_MAP": {
		{Call: "SPLIT_TO_MAP('a:1,b:2', ',', ':')", Result: "{a=1, b=2}"},
	},
	"SQRT": {
		{Call: "SQRT(16)", Result: "4.0"},
	},
	"STDDEV_SAMP": {
		{Call: "STDDEV_SAMP(x)", Rows: [][]string{{"2"}, {"4"}, {"6"}}, Result: "4.0"},
	},
	"STDDEV_SAMPLE": {
		{Call: "STDDEV_SAMPLE(x)", Rows: [][]string{{"2"}, {"4"}, {"6"}}, Result: "2.0"},
	},
	"STRINGTODATE": {
		{Call: "STRINGTODATE('01.03.2024', 'dd.MM.yyyy')", Result: "19783"},
	},
	"STRINGTOTIMESTAMP": {
		{Call: "STRINGTOTIMESTAMP('2024-03-01', 'yyyy-MM-dd')", Result: "1709251200000"},
		{Call: "STRINGTOTIMESTAMP('2024-03-01', 'yyyy-MM-dd', 'Europe/Prague')", Result: "1709247600000"},
	},
	"SUBSTRING": {
		{Call: "SUBSTRING('orderflow', 6)", Result: "flow"},
		{Call: "SUBSTRING('orderflow', -4, 2)", Result: "fl"},
	},
	"SUM": {
		{Call: "SUM(x)", Rows: [][]string{{"1"}, {"2"}, {"NULL"}, {"4"}}, Result: "7"},
	},
	"SUM_LIST": {
		{Call: "SUM_LIST(x)", Rows: [][]string{{"ARRAY[1, 2]"}, {"ARRAY[3]"}}, Result: "6"},
	},
	"TAN": {
		{Call: "TAN(0)", Result: "0.0"},
	},
	"TANH": {
		{Call: "TANH(0)", Result: "0.0"},
	},
	"TIMEADD": {
		{Call: "TIMEADD(MINUTES, 90, PARSE_TIME('23:00', 'HH:mm'))", Result: "00:30"},
	},
	"TIMESTAMPADD": {
		{Call: "TIMESTAMPADD(HOURS, 2, FROM_UNIXTIME(1709251200000))", Result: "2024-03-01T02:00:00.000"},
	},
	"TIMESTAMPSUB": {
		{Call: "TIMESTAMPSUB(DAYS, 1, FROM_UNIXTIME(1709251200000))", Result: "2024-02-29T00:00:00.000"},
	},
	"TIMESTAMPTOSTRING": {
		{Call: "TIMESTAMPTOSTRING(1709251200000, 'yyyy-MM-dd HH:mm')", Result: "2024-03-01 00:00"},
		{Call: "TIMESTAMPTOSTRING(1709251200000, 'yyyy-MM-dd HH:mm', 'Asia/Tokyo')", Result: "2024-03-01 09:00"},
	},
	"TIMESUB": {
		{Call: "TIMESUB(HOURS, 2, PARSE_TIME('01:30', 'HH:mm'))", Result: "23:30"},
	},
	"TOPK": {
		{Call: "TOPK(x, 2)", Rows: [][]string{{"3"}, {"9"}, {"4"}}, Result: "[9, 4]"},
		{Call: "TOPK(x, y, 2)", Rows: [][]string{{"3", "'c'"}, {"9", "'a'"}, {"4", "'b'"}}, Result: "[Struct{sort_col=9,col0=a}, Struct{sort_col=4,col0=b}]"},
	},
	"TOPKDISTINCT": {
		{Call: "TOPKDISTINCT(x, 2)", Rows: [][]string{{"3"}, {"9"}, {"9"}, {"4"}}, Result: "[9, 4]"},
	},
	"TO_BYTES": {
		{Call: "FROM_BYTES(TO_BYTES('hi', 'utf8'), 'hex')", Result: "6869"},
	},
	"TO_JSON_STRING": {
		{Call: "TO_JSON_STRING(ARRAY[1, 2])", Result: "[1,2]"},
		{Call: "TO_JSON_STRING(STRUCT(A := 1, B := 'x'))", Result: `{"A":1,"B":"x"}`},
	},
	"TRANSFORM": {
		{Call: "TRANSFORM(ARRAY[1, 2, 3], x => x * 10)", Result: "[10, 20, 30]"},
		{Call: "TRANSFORM(MAP('a' := 1), (k, v) => UCASE(k), (k, v) => v + 1)", Result: "{A=2}"},
	},
	"TRIM": {
		{Call: "TRIM('  hello ')", Result: "hello"},
	},
	"TRUNC": {
		{Call: "TRUNC(2.9)", Result: "2"},
		{Call: "TRUNC(2.987, 2)", Result: "2.980"},
	},
	"UCASE": {
		{Call: "UCASE('Hello')", Result: "HELLO"},
	},
	"UNIX_DATE": {
		{Call: "UNIX_DATE(FROM_DAYS(19783))", Result: "19783"},
	},
	"UNIX_TIMESTAMP": {
		{Call: "UNIX_TIMESTAMP(FROM_UNIXTIME(1709251200000))", Result: "1709251200000"},
	},
	"URL_DECODE_PARAM": {
		{Call: "URL_DECODE_PARAM('a%20b%26c')", Result: "a b&c"},
	},
	"URL_ENCODE_PARAM": {
		{Call: "URL_ENCODE_PARAM('a b&c')", Result: "a+b%26c"},
	},
	"URL_EXTRACT_FRAGMENT": {
		{Call: "URL_EXTRACT_FRAGMENT('https://shop.example:8443/orders/17?full=yes#total')", Result: "total"},
	},
	"URL_EXTRACT_HOST": {
		{Call: "URL_EXTRACT_HOST('https://shop.example:8443/orders/17?full=yes#total')", Result: "shop.example"},
	},
	"URL_EXTRACT_PARAMETER": {
		{Call: "URL_EXTRACT_PARAMETER('https://shop.example:8443/orders/17?full=yes#total', 'full')", Result: "yes"},
	},
	"URL_EXTRACT_PATH": {
		{Call: "URL_EXTRACT_PATH('https://shop.example:8443/orders/17?full=yes#total')", Result: "/orders/17"},
	},
	"URL_EXTRACT_PORT": {
		{Call: "URL_EXTRACT_PORT('https://shop.example:8443/orders/17?full=yes#total')", Result: "8443"},
	},
	"URL_EXTRACT_PROTOCOL": {
		{Call: "URL_EXTRACT_PROTOCOL('https://shop.example:8443/orders/17?full=yes#total')", Result: "https"},
	},
	"URL_EXTRACT_QUERY": {
		{Call: "URL_EXTRACT_QUERY('https://shop.example:8443/orders/17?full=yes#total')", Result: "full=yes"},
	},
	"UUID": {
		{Call: "LEN(UUID())", Result: "36"},
		{Call: "UUID(TO_BYTES('000102030405060708090A0B0C0D0E0F', 'hex'))", Result: "00010203-0405-0607-0809-0a0b0c0d0e0f"},
	},
}

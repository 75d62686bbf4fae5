package parser

// The kinds are in the order of the token types of ksqlDB's grammar, because that is
// the order in which its messages list what was expected.
const (
	kindEOF kind = iota
	kindSemicolon
	kindComma
	kindLeftParen
	kindRightParen
	kindDot
	kindLeftBracket
	kindRightBracket
	kwString
	kwEmit
	kwChanges
	kwFinal
	kwSelect
	kwFrom
	kwAs
	kwAll
	kwDistinct
	kwWhere
	kwWithin
	kwWindow
	kwGroup
	kwBy
	kwHaving
	kwLimit
	kwAt
	kwOr
	kwAnd
	kwIn
	kwNot
	kwExists
	kwBetween
	kwLike
	kwEscape
	kwIs
	kwNull
	kwTrue
	kwFalse
	kwInteger
	kwDate
	kwTime
	kwTimestamp
	kwInterval
	kwYear
	kwMonth
	kwDay
	kwHour
	kwMinute
	kwSecond
	kwMillisecond
	kwYears
	kwMonths
	kwDays
	kwHours
	kwMinutes
	kwSeconds
	kwMilliseconds
	kwZone
	kwTumbling
	kwHopping
	kwSize
	kwAdvance
	kwRetention
	kwGrace
	kwPeriod
	kwCase
	kwWhen
	kwThen
	kwElse
	kwEnd
	kwJoin
	kwFull
	kwOuter
	kwInner
	kwLeft
	kwRight
	kwOn
	kwPartition
	kwStruct
	kwWith
	kwValues
	kwCreate
	kwTable
	kwTopic
	kwStream
	kwStreams
	kwInsert
	kwDelete
	kwInto
	kwDescribe
	kwExtended
	kwPrint
	kwExplain
	kwAnalyze
	kwType
	kwTypes
	kwCast
	kwShow
	kwList
	kwTables
	kwTopics
	kwQuery
	kwQueries
	kwTerminate
	kwPause
	kwResume
	kwLoad
	kwColumns
	kwColumn
	kwPartitions
	kwFunctions
	kwFunction
	kwDrop
	kwTo
	kwRename
	kwArray
	kwMap
	kwSet
	kwDefine
	kwUndefine
	kwReset
	kwSession
	kwSample
	kwExport
	kwCatalog
	kwProperties
	kwBeginning
	kwUnset
	kwRun
	kwScript
	kwDecimal
	kwKey
	kwConnector
	kwConnectors
	kwSink
	kwSource
	kwNamespace
	kwMaterialized
	kwView
	kwPrimary
	kwReplace
	kwAssert
	kwAdd
	kwAlter
	kwVariables
	kwPlugins
	kwHeaders
	kwHeader
	kwSystem
	kwTimeout
	kwSchema
	kwSubject
	kwId
	kwIf
	kindEq
	kindNotEq
	kindLess
	kindLessEq
	kindGreater
	kindGreaterEq
	kindPlus
	kindMinus
	kindStar
	kindSlash
	kindPercent
	kindConcat
	kindAssign
	kindArrow
	kindLambda
	kindStringText
	kindInteger
	kindDecimal
	kindFloat
	kindIdent
	kindDigitIdent
	kindQuoted
	kindBackQuoted
	kindVariable
	kindUnrecognized
	kindCount
)

// display is how a message names each kind.
var display = func() [kindCount]string {
	names := [kindCount]string{
		kindEOF:          "<EOF>",
		kindSemicolon:    "';'",
		kindComma:        "','",
		kindLeftParen:    "'('",
		kindRightParen:   "')'",
		kindDot:          "'.'",
		kindLeftBracket:  "'['",
		kindRightBracket: "']'",
		kindEq:           "'='",
		kindNotEq:        "NEQ",
		kindLess:         "'<'",
		kindLessEq:       "'<='",
		kindGreater:      "'>'",
		kindGreaterEq:    "'>='",
		kindPlus:         "'+'",
		kindMinus:        "'-'",
		kindStar:         "'*'",
		kindSlash:        "'/'",
		kindPercent:      "'%'",
		kindConcat:       "'||'",
		kindAssign:       "':='",
		kindArrow:        "'->'",
		kindLambda:       "'=>'",
		kindStringText:   "STRING",
		kindInteger:      "INTEGER_VALUE",
		kindDecimal:      "DECIMAL_VALUE",
		kindFloat:        "FLOATING_POINT_VALUE",
		kindIdent:        "IDENTIFIER",
		kindDigitIdent:   "DIGIT_IDENTIFIER",
		kindQuoted:       "QUOTED_IDENTIFIER",
		kindBackQuoted:   "BACKQUOTED_IDENTIFIER",
		kindVariable:     "VARIABLE",
		kindUnrecognized: "UNRECOGNIZED",
	}
	for word, k := range keywords {
		names[k] = "'" + word + "'"
	}
	return names
}()

// keywords maps the upper-case spelling of every keyword to its kind.
var keywords = map[string]kind{
	"STRING":       kwString,
	"EMIT":         kwEmit,
	"CHANGES":      kwChanges,
	"FINAL":        kwFinal,
	"SELECT":       kwSelect,
	"FROM":         kwFrom,
	"AS":           kwAs,
	"ALL":          kwAll,
	"DISTINCT":     kwDistinct,
	"WHERE":        kwWhere,
	"WITHIN":       kwWithin,
	"WINDOW":       kwWindow,
	"GROUP":        kwGroup,
	"BY":           kwBy,
	"HAVING":       kwHaving,
	"LIMIT":        kwLimit,
	"AT":           kwAt,
	"OR":           kwOr,
	"AND":          kwAnd,
	"IN":           kwIn,
	"NOT":          kwNot,
	"EXISTS":       kwExists,
	"BETWEEN":      kwBetween,
	"LIKE":         kwLike,
	"ESCAPE":       kwEscape,
	"IS":           kwIs,
	"NULL":         kwNull,
	"TRUE":         kwTrue,
	"FALSE":        kwFalse,
	"INTEGER":      kwInteger,
	"DATE":         kwDate,
	"TIME":         kwTime,
	"TIMESTAMP":    kwTimestamp,
	"INTERVAL":     kwInterval,
	"YEAR":         kwYear,
	"MONTH":        kwMonth,
	"DAY":          kwDay,
	"HOUR":         kwHour,
	"MINUTE":       kwMinute,
	"SECOND":       kwSecond,
	"MILLISECOND":  kwMillisecond,
	"YEARS":        kwYears,
	"MONTHS":       kwMonths,
	"DAYS":         kwDays,
	"HOURS":        kwHours,
	"MINUTES":      kwMinutes,
	"SECONDS":      kwSeconds,
	"MILLISECONDS": kwMilliseconds,
	"ZONE":         kwZone,
	"TUMBLING":     kwTumbling,
	"HOPPING":      kwHopping,
	"SIZE":         kwSize,
	"ADVANCE":      kwAdvance,
	"RETENTION":    kwRetention,
	"GRACE":        kwGrace,
	"PERIOD":       kwPeriod,
	"CASE":         kwCase,
	"WHEN":         kwWhen,
	"THEN":         kwThen,
	"ELSE":         kwElse,
	"END":          kwEnd,
	"JOIN":         kwJoin,
	"FULL":         kwFull,
	"OUTER":        kwOuter,
	"INNER":        kwInner,
	"LEFT":         kwLeft,
	"RIGHT":        kwRight,
	"ON":           kwOn,
	"PARTITION":    kwPartition,
	"STRUCT":       kwStruct,
	"WITH":         kwWith,
	"VALUES":       kwValues,
	"CREATE":       kwCreate,
	"TABLE":        kwTable,
	"TOPIC":        kwTopic,
	"STREAM":       kwStream,
	"STREAMS":      kwStreams,
	"INSERT":       kwInsert,
	"DELETE":       kwDelete,
	"INTO":         kwInto,
	"DESCRIBE":     kwDescribe,
	"EXTENDED":     kwExtended,
	"PRINT":        kwPrint,
	"EXPLAIN":      kwExplain,
	"ANALYZE":      kwAnalyze,
	"TYPE":         kwType,
	"TYPES":        kwTypes,
	"CAST":         kwCast,
	"SHOW":         kwShow,
	"LIST":         kwList,
	"TABLES":       kwTables,
	"TOPICS":       kwTopics,
	"QUERY":        kwQuery,
	"QUERIES":      kwQueries,
	"TERMINATE":    kwTerminate,
	"PAUSE":        kwPause,
	"RESUME":       kwResume,
	"LOAD":         kwLoad,
	"COLUMNS":      kwColumns,
	"COLUMN":       kwColumn,
	"PARTITIONS":   kwPartitions,
	"FUNCTIONS":    kwFunctions,
	"FUNCTION":     kwFunction,
	"DROP":         kwDrop,
	"TO":           kwTo,
	"RENAME":       kwRename,
	"ARRAY":        kwArray,
	"MAP":          kwMap,
	"SET":          kwSet,
	"DEFINE":       kwDefine,
	"UNDEFINE":     kwUndefine,
	"RESET":        kwReset,
	"SESSION":      kwSession,
	"SAMPLE":       kwSample,
	"EXPORT":       kwExport,
	"CATALOG":      kwCatalog,
	"PROPERTIES":   kwProperties,
	"BEGINNING":    kwBeginning,
	"UNSET":        kwUnset,
	"RUN":          kwRun,
	"SCRIPT":       kwScript,
	"DECIMAL":      kwDecimal,
	"KEY":          kwKey,
	"CONNECTOR":    kwConnector,
	"CONNECTORS":   kwConnectors,
	"SINK":         kwSink,
	"SOURCE":       kwSource,
	"NAMESPACE":    kwNamespace,
	"MATERIALIZED": kwMaterialized,
	"VIEW":         kwView,
	"PRIMARY":      kwPrimary,
	"REPLACE":      kwReplace,
	"ASSERT":       kwAssert,
	"ADD":          kwAdd,
	"ALTER":        kwAlter,
	"VARIABLES":    kwVariables,
	"PLUGINS":      kwPlugins,
	"HEADERS":      kwHeaders,
	"HEADER":       kwHeader,
	"SYSTEM":       kwSystem,
	"TIMEOUT":      kwTimeout,
	"SCHEMA":       kwSchema,
	"SUBJECT":      kwSubject,
	"ID":           kwId,
	"IF":           kwIf,
}

// nonReserved holds the keywords that may also be used as identifiers.
var nonReserved = [kindCount]bool{
	kwShow:       true,
	kwTables:     true,
	kwColumns:    true,
	kwColumn:     true,
	kwPartitions: true,
	kwFunctions:  true,
	kwFunction:   true,
	kwSession:    true,
	kwStruct:     true,
	kwMap:        true,
	kwArray:      true,
	kwPartition:  true,
	kwInteger:    true,
	kwDate:       true,
	kwTime:       true,
	kwTimestamp:  true,
	kwInterval:   true,
	kwZone:       true,
	kwString:     true,
	kwYear:       true,
	kwMonth:      true,
	kwDay:        true,
	kwHour:       true,
	kwMinute:     true,
	kwSecond:     true,
	kwExplain:    true,
	kwAnalyze:    true,
	kwType:       true,
	kwTypes:      true,
	kwSet:        true,
	kwReset:      true,
	kwIf:         true,
	kwSource:     true,
	kwSink:       true,
	kwPrimary:    true,
	kwKey:        true,
	kwEmit:       true,
	kwChanges:    true,
	kwFinal:      true,
	kwEscape:     true,
	kwReplace:    true,
	kwAssert:     true,
	kwAlter:      true,
	kwAdd:        true,
	kwHeader:     true,
	kwHeaders:    true,
	kwGrace:      true,
	kwPeriod:     true,
	kwDefine:     true,
	kwUndefine:   true,
	kwVariables:  true,
	kwPlugins:    true,
	kwSystem:     true,
	kwTimeout:    true,
	kwSchema:     true,
	kwSubject:    true,
	kwId:         true,
}

// The registry client of KafkaJS: node kafkajs.js REGISTRY-URL, in a folder whose node_modules has it. Each check that
// holds is a line "ok NAME"; one that doesn't is "WRONG NAME: ..." and makes the program fail.
const assert = require('node:assert/strict')
const { createRequire } = require('node:module')
const { SchemaRegistry, SchemaType, COMPATIBILITY } = createRequire(process.cwd() + '/')('@kafkajs/confluent-schema-registry')

const host = process.argv[2]
const fresh = options => new SchemaRegistry({ host, retry: { retries: 0 } }, options)
const registry = fresh()

let failed = false
async function check(name, run) {
  try {
    await run()
    console.log('ok ' + name)
  } catch (e) {
    failed = true
    console.log(`WRONG ${name}: ${e.stack}`)
  }
}

const field = (name, type, more) => ({ name, type, ...more })
const order = (...more) => ({ type: 'record', name: 'Order', namespace: 'shop', fields: [field('id', 'string'), field('n', 'long'), ...more] })

// through encodes a value, and decodes it with a client that has to ask the registry.
async function through(id, value, options) {
  const record = await registry.encode(id, value)
  assert.equal(record.readUInt8(0), 0)
  assert.equal(record.readUInt32BE(1), id)
  return JSON.parse(JSON.stringify(await fresh(options).decode(record)))
}

async function avro() {
  const first = await registry.register(order())
  await check('a schema is registered by its full name', async () => {
    assert.equal(await registry.getRegistryId('shop.Order', 1), first.id)
    assert.equal(await registry.getLatestSchemaId('shop.Order'), first.id)
    assert.equal(await registry.getRegistryIdBySchema('shop.Order', order()), first.id)
  })
  await check('again it has the same id', async () => assert.equal((await fresh().register(order())).id, first.id))
  await check('its level of compatibility was set', async () => {
    assert.deepEqual(await (await fetch(host + '/config/shop.Order')).json(), { compatibilityLevel: 'BACKWARD' })
  })
  const second = await registry.register(order(field('country', 'string', { default: 'NO' })))
  await check('the next version', async () => {
    assert.equal(await registry.getRegistryId('shop.Order', 2), second.id)
    assert.equal(await registry.getLatestSchemaId('shop.Order'), second.id)
  })
  await check('encoded and decoded', async () => {
    assert.deepEqual(await through(second.id, { id: 'é', n: 7, country: 'SE' }), { id: 'é', n: 7, country: 'SE' })
  })
  await check('decoded with another schema', async () => {
    const old = await registry.encode(first.id, { id: 'a', n: 1 })
    const readerSchema = order(field('country', 'string', { default: 'NO' }))
    assert.deepEqual({ ...(await fresh().decode(old, { [SchemaType.AVRO]: { readerSchema } })) }, { id: 'a', n: 1, country: 'NO' })
  })
  await check('an incompatible schema', () =>
    assert.rejects(registry.register(order(field('needed', 'string'))), e => e.status === 409 && /incompatible/.test(e.message)))
  await check('another level than the one that is set', () =>
    assert.rejects(registry.register(order(), { subject: 'shop.Order', compatibility: COMPATIBILITY.FULL }), { name: 'ConfluentSchemaRegistryCompatibilityError' }))
  await check('a level of its own', async () => {
    await registry.register(order(), { subject: 'own-value', compatibility: COMPATIBILITY.FULL_TRANSITIVE })
    assert.deepEqual(await (await fetch(host + '/config/own-value')).json(), { compatibilityLevel: 'FULL_TRANSITIVE' })
  })
  await check('a subject that is not there', () => assert.rejects(registry.getLatestSchemaId('none'), e => e.status === 404 && /40401|not found/.test(e.message)))
  await check('a version that is not there', () => assert.rejects(registry.getRegistryId('shop.Order', 9), e => e.status === 404))
  await check('an id that is not there', () => assert.rejects(fresh().decode(Buffer.from([0, 0, 0, 99, 99, 2])), e => e.status === 404))
  await check('a schema that the subject lacks', () =>
    assert.rejects(registry.getRegistryIdBySchema('shop.Order', order(field('x', 'int'))), { name: 'ConfluentSchemaRegistryError' }))
  await check('types that nest', async () => {
    const item = { type: 'record', name: 'Item', fields: [field('sku', 'string'), field('size', { type: 'enum', name: 'Size', symbols: ['S', 'M'] })] }
    const all = { type: 'record', name: 'All', namespace: 'shop', fields: [
      field('items', { type: 'array', items: item }), field('levels', { type: 'map', values: 'double' }), field('last', ['null', 'shop.Item'], { default: null })] }
    const value = { items: [{ sku: 'a', size: 'M' }], levels: { low: 0.5 }, last: { sku: 'b', size: 'S' } }
    assert.deepEqual(await through((await registry.register(all)).id, value), value)
  })
}

async function references() {
  await check('avro with references', async () => {
    await registry.register({ type: SchemaType.AVRO, schema: JSON.stringify({ type: 'record', name: 'Money', namespace: 'shop', fields: [field('amount', 'int')] }) }, { subject: 'money' })
    await registry.register({
      type: SchemaType.AVRO, references: [{ name: 'shop.Money', subject: 'money', version: 1 }],
      schema: JSON.stringify({ type: 'record', name: 'Product', namespace: 'shop', fields: [field('name', 'string'), field('price', 'shop.Money')] }),
    }, { subject: 'product' })
    const { id } = await registry.register({
      type: SchemaType.AVRO, references: [{ name: 'shop.Product', subject: 'product', version: 1 }],
      schema: JSON.stringify({ type: 'record', name: 'Sale', namespace: 'shop', fields: [field('product', 'shop.Product')] }),
    }, { subject: 'sale' })
    const value = { product: { name: 'x', price: { amount: 3 } } }
    assert.deepEqual(await through(id, value), value)
  })
  await check('json with a reference', async () => {
    await registry.register({ type: SchemaType.JSON, schema: JSON.stringify({ $id: 'https://shop.example/product.json', type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }) }, { subject: 'json-product' })
    const { id } = await registry.register({
      type: SchemaType.JSON, references: [{ name: 'https://shop.example/product.json', subject: 'json-product', version: 1 }],
      schema: JSON.stringify({ $id: 'https://shop.example/sale.json', type: 'object', properties: { product: { $ref: 'https://shop.example/product.json' } } }),
    }, { subject: 'json-sale' })
    assert.deepEqual(await through(id, { product: { name: 'x' } }), { product: { name: 'x' } })
    await assert.rejects(registry.encode(id, { product: {} }), { name: 'ConfluentSchemaRegistryValidationError' })
  })
  await check('protobuf with an import', async () => {
    await registry.register({ type: SchemaType.PROTOBUF, schema: 'syntax = "proto3";\npackage shop;\nmessage PbProduct {\n  string name = 1;\n}\n' }, { subject: 'product.proto' })
    const { id } = await registry.register({
      type: SchemaType.PROTOBUF, references: [{ name: 'product.proto', subject: 'product.proto', version: 1 }],
      schema: 'syntax = "proto3";\npackage shop;\nimport "product.proto";\nmessage PbSale {\n  PbProduct product = 1;\n  int32 n = 2;\n}\n',
    }, { subject: 'pb-sale' })
    assert.deepEqual(await through(id, { product: { name: 'x' }, n: 2 }), { product: { name: 'x' }, n: 2 })
  })
  await check('what a schema refers to stays', async () => {
    const answer = await fetch(host + '/subjects/product/versions/1', { method: 'DELETE' })
    assert.equal(answer.status, 422)
    assert.equal((await answer.json()).error_code, 42206)
  })
}

avro().then(references).then(() => process.exit(failed ? 1 : 0), e => {
  console.log('WRONG ' + e.stack)
  process.exit(1)
})

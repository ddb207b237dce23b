// A client of the Lambda Runtime API for Node.js.
//
// AWS's own client, aws-lambda-ric, builds a C++ addon when it is installed and so needs a compiler,
// CMake and autotools. This one needs Node.js and nothing else, and does what the documentation
// topics "Define Lambda function handler in Node.js" and "Using the Lambda runtime API" say:
// CommonJS and ES modules, async and callback handlers, the context object, console output with
// time stamp and request id, and AWS's error types.

import { existsSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { AsyncLocalStorage } from 'node:async_hooks'
import { format } from 'node:util'

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':')
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
const base = '/2018-06-01/runtime'
const current = new AsyncLocalStorage()
const jsonLogs = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON'
let lastRequestId

function call (method, route, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path: base + route, headers }, response => {
      const parts = []
      response.on('data', part => parts.push(part))
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

function describe (error) {
  if (error instanceof Error || (error && typeof error === 'object' && 'message' in error && 'stack' in error)) {
    return { errorType: error.name ?? 'Error', errorMessage: String(error.message), trace: String(error.stack).split('\n') }
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] }
}

function report (route, error) {
  const body = describe(error)
  return call('POST', route, JSON.stringify(body), {
    'Content-Type': 'application/json',
    'Lambda-Runtime-Function-Error-Type': encodeURIComponent(body.errorType)
  })
}

function write (level, parts) {
  const requestId = current.getStore() ?? lastRequestId
  const timestamp = new Date().toISOString()
  if (jsonLogs) {
    const [first] = parts
    const message = parts.length === 1 && typeof first === 'object' && !(first instanceof Error) ? first : format(...parts)
    process.stdout.write(JSON.stringify({ timestamp, level, requestId, message }) + '\n')
  } else {
    // A carriage return keeps one message one log event.
    process.stdout.write(`${timestamp}\t${requestId ?? 'undefined'}\t${level}\t${format(...parts).replaceAll('\n', '\r')}\n`)
  }
}

for (const [method, level] of Object.entries({ log: 'INFO', info: 'INFO', debug: 'DEBUG', warn: 'WARN', error: 'ERROR', trace: 'TRACE' })) {
  console[method] = (...parts) => write(level, parts)
}

class RuntimeError extends Error {
  constructor (name, message) {
    super(message)
    this.name = `Runtime.${name}`
  }
}

async function loadHandler () {
  const root = process.env.LAMBDA_TASK_ROOT
  const handler = process.env._HANDLER
  const match = /^(.*\/)?([^/]*?)\.(.+)$/.exec(handler)
  if (!match || handler.includes('..')) throw new RuntimeError('MalformedHandlerName', `Bad handler '${handler}'`)
  const file = path.resolve(root, match[1] ?? '', match[2])
  let module
  try {
    const found = ['.js', '.mjs', '.cjs', ''].map(ending => file + ending).find(name => existsSync(name))
    if (!found) throw new RuntimeError('ImportModuleError', `Error: Cannot find module '${match[2]}'`)
    if (found.endsWith('.mjs')) {
      module = await import(pathToFileURL(found).href)
    } else {
      try {
        module = createRequire(path.join(root, 'bootstrap.js'))(found)
      } catch (error) {
        if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error
        module = await import(pathToFileURL(found).href)
      }
    }
  } catch (error) {
    if (error instanceof RuntimeError) throw error
    if (error instanceof SyntaxError) throw new RuntimeError('UserCodeSyntaxError', String(error))
    if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new RuntimeError('ImportModuleError', String(error))
    }
    throw error
  }
  const target = match[3].split('.').reduce((value, name) => value?.[name] ?? value?.default?.[name], module)
  if (target === undefined) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`)
  if (typeof target !== 'function') throw new RuntimeError('HandlerNotFound', `${handler} is not a function`)
  return target
}

function makeContext (headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms'])
  const parse = name => headers[name] ? JSON.parse(headers[name]) : undefined
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    clientContext: parse('lambda-runtime-client-context'),
    identity: parse('lambda-runtime-cognito-identity'),
    getRemainingTimeInMillis: () => deadline - Date.now()
  }
}

function run (handler, event, context) {
  return new Promise((resolve, reject) => {
    const finish = (error, result) => {
      const done = () => error === undefined || error === null ? resolve(result) : reject(error)
      // A callback ends the invoke when nothing is left to do, unless the function says otherwise.
      if (context.callbackWaitsForEmptyEventLoop) process.once('beforeExit', done)
      else done()
    }
    const result = handler(event, context, finish)
    if (typeof result?.then === 'function') result.then(resolve, reject)
    else if (handler.length < 3) resolve(result)
  })
}

// Called before the runtime client keeps a connection open: user code alone decides what is pending.
process.on('uncaughtException', error => fail('Runtime.UncaughtException', error))
process.on('unhandledRejection', error => fail('Runtime.UnhandledPromiseRejection', error))

async function fail (kind, error) {
  const wrapped = { name: kind, message: describe(error).errorMessage, stack: String(error?.stack ?? error) }
  console.error('Uncaught Exception', wrapped.stack)
  const route = lastRequestId ? `/invocation/${lastRequestId}/error` : '/init/error'
  await report(route, wrapped).catch(() => {})
  process.exit(129)
}

let handler
try {
  handler = await loadHandler()
} catch (error) {
  console.error('Uncaught Exception', error.stack)
  await report('/init/error', error)
  process.exit(1)
}

for (;;) {
  const next = await call('GET', '/invocation/next')
  if (next.status !== 200) process.exit(1)
  const requestId = lastRequestId = next.headers['lambda-runtime-aws-request-id']
  if (next.headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id']
  else delete process.env._X_AMZN_TRACE_ID
  let body
  let failure
  try {
    const event = JSON.parse(next.body.toString())
    const result = await current.run(requestId, () => run(handler, event, makeContext(next.headers)))
    body = JSON.stringify(result === undefined ? null : result)
  } catch (error) {
    failure = { error }
    console.error('Invoke Error', describe(error).trace.join('\n') || String(error))
  }
  const answer = failure
    ? await report(`/invocation/${requestId}/error`, failure.error)
    : await call('POST', `/invocation/${requestId}/response`, body, { 'Content-Type': 'application/json' })
  if (answer.status !== 202) process.exit(1)
}

// Starts a function under AWS's runtime client (index.mjs, from aws-lambda-ric), as bin/index.mjs of
// that package does.

import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'

import { run } from './index.mjs'

// The client writes each console message as a frame, which keeps its lines together. Frames and plain
// output share one pipe. Node.js makes it non-blocking once a function uses process.stdout; a full
// pipe would then be an exception in console.log, and output would be lost at process.exit().
process.stdout._handle?.setBlocking?.(true)
process.stderr._handle?.setBlocking?.(true)
process.env._LAMBDA_TELEMETRY_LOG_FD = '1'

// Custom resources of CloudFormation send their answer to the event's ResponseURL. On AWS that is
// https, and most code takes host and path of it and adds the rest: here it is this emulator's port.
const answers = '/_trigger_stack/custom-resources/'
const { hostname, port } = new URL(process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:4566')
const send = https.request
https.request = (where, ...others) => {
  const isText = typeof where === 'string' || where instanceof URL
  const options = isText ? new URL(where) : where
  const path = isText ? options.pathname : options?.path
  const host = options?.hostname ?? options?.host?.split(':')[0]
  const here = [hostname, 'localhost', '127.0.0.1'].includes(host)
  if (!here || !path?.startsWith(answers)) return send(where, ...others)
  const { agent, protocol, ...kept } = isText ? { path } : options
  return http.request({ ...kept, host, hostname, port, protocol: 'http:' }, ...others)
}
syncBuiltinESMExports()

await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER)

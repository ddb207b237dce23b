'use strict'
// Stands in for rapid-client.node, the C++ addon of aws-lambda-ric (its src/rapid-client.cc), with the
// same three functions: next() waits for an event; done() and error() return when the Runtime API has
// answered. That they are synchronous is what AWS's client builds upon: it calls process.exit() right
// after error(), and a function may do so after its answer.
//
// Node.js has no synchronous sockets. But nothing else happens on this connection while an event is
// handled, so its descriptor is set to block meanwhile and is written and read with write(2) and
// read(2): `_handle`, which Node.js does not document, has had `fd` and `setBlocking` since 0.12.

const { readSync, writeSync } = require('fs') // now: a function may replace them
const net = require('net')

const api = process.env.AWS_LAMBDA_RUNTIME_API
const INVOCATION = '/2018-06-01/runtime/invocation/'
const MAX_XRAY_BYTES = 1024 * 1024 // more than that the Runtime API refuses in a header
const NOBODY_ANSWERED = -1 // REQUEST_NOT_MADE in AWS's C++ client

class Response {
  constructor () {
    this.parts = []
    this.size = 0
    this.whole = Infinity
  }

  /** Take bytes; says whether the response is complete. Its length is always in its head. */
  add (part) {
    this.parts.push(part)
    this.size += part.length
    if (this.whole === Infinity) {
      const bytes = Buffer.concat(this.parts)
      this.parts = [bytes]
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return false
      const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
      this.status = Number(first.split(' ')[1])
      this.headers = {}
      for (const line of lines) {
        const colon = line.indexOf(':')
        this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
      }
      this.start = end + 4
      this.whole = this.start + Number(this.headers['content-length'] ?? 0)
    }
    return this.size >= this.whole
  }

  get body () {
    return Buffer.concat(this.parts).toString('utf8', this.start, this.whole)
  }
}

function connect () {
  const [host, port] = api.split(':')
  const made = net.connect({ host, port: Number(port) })
  made.setNoDelay(true)
  made.on('error', () => {}) // 'close' comes after it
  made.resume()
  made.unref() // user code alone decides what is pending while it runs
  return made
}

let socket = connect() // while the function's code is being loaded

function next () {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) socket = connect()
    let response
    const ask = () => {
      response = new Response()
      socket.write(`GET ${INVOCATION}next HTTP/1.1\r\nHost: ${api}\r\n\r\n`)
    }
    const end = (error, result) => {
      socket.off('data', take)
      socket.off('close', lost)
      socket.unref()
      if (error === undefined) resolve(result)
      else reject(new Error(`Failed to get next invocation, error ${error}`))
    }
    const lost = () => end(NOBODY_ANSWERED)
    const take = part => {
      if (!response.add(part)) return
      // The end of a streamed answer, which has a connection of its own, may still be under way.
      if (response.status === 403) return setTimeout(ask, 5)
      if (response.status !== 200) return end(response.status)
      const { headers, body } = response
      headers['lambda-runtime-deadline-ms'] = Number(headers['lambda-runtime-deadline-ms'])
      end(undefined, { bodyJson: body, headers })
    }
    socket.on('data', take)
    socket.on('close', lost)
    socket.ref()
    ask()
  })
}

function post (route, body, xray = '') {
  const handle = socket._handle
  if (!handle) return
  const bytes = Buffer.from(body)
  const head = [
    `POST ${INVOCATION}${route} HTTP/1.1`,
    `Host: ${api}`,
    'Content-Type: application/json',
    `Content-Length: ${bytes.length}`
  ]
  if (xray && Buffer.byteLength(xray) <= MAX_XRAY_BYTES) head.push(`Lambda-Runtime-Function-XRay-Error-Cause: ${xray}`)
  const request = Buffer.concat([Buffer.from(head.join('\r\n') + '\r\n\r\n'), bytes])
  const response = new Response()
  handle.setBlocking(true)
  try {
    for (let sent = 0; sent < request.length;) sent += writeSync(handle.fd, request, sent)
    for (;;) {
      const part = Buffer.alloc(4096)
      const size = readSync(handle.fd, part)
      if (size === 0 || response.add(part.subarray(0, size))) break
    }
  } catch {
    // The Runtime API is gone. The addon does not tell either: next() finds out.
  } finally {
    handle.setBlocking(false)
  }
}

module.exports = {
  next,
  done: (id, body) => post(`${id}/response`, body),
  error: (id, body, xray) => post(`${id}/error`, body, xray)
}

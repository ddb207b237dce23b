// Starts a function under AWS's runtime client (index.mjs, from aws-lambda-ric), as bin/index.mjs of
// that package does.

import { run } from './index.mjs'

// The client writes each console message as a frame, which keeps its lines together. Frames and plain
// output share one pipe. Node.js makes it non-blocking once a function uses process.stdout; a full
// pipe would then be an exception in console.log, and output would be lost at process.exit().
process.stdout._handle?.setBlocking?.(true)
process.stderr._handle?.setBlocking?.(true)
process.env._LAMBDA_TELEMETRY_LOG_FD = '1'

await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER)

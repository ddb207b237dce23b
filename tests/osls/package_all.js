// Packages projects with osls in one process, which loads it once:
//   node package_all.js <folder of osls> <project> …
// What osls makes of a project is in <project>/.packaged; what it says, in <project>/.packaged.txt.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const [, , osls, ...projects] = process.argv;
const script = path.join(osls, 'scripts/serverless.js');
const own = ['lib', 'scripts'].map((name) => path.join(osls, name) + path.sep);
const environment = { ...process.env };
let failed = false;

process.argv = [process.argv[0], script, 'package', '--package', '.packaged'];

// osls has done all it had to when nothing is left to wait for.
process.on('beforeExit', () => {
  failed ||= Boolean(process.exitCode);
  process.exitCode = failed ? 1 : 0;
  if (projects.length === 0) return;
  process.chdir(projects.shift());
  process.env = { ...environment };
  process.removeAllListeners('uncaughtException');
  const said = fs.openSync('.packaged.txt', 'w');
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (text) => fs.writeSync(said, text) > 0;
  }
  process.exitCode = 0;
  // Nothing that osls remembers of one project is there for the next.
  for (const name of Object.keys(require.cache)) {
    if (own.some((folder) => name.startsWith(folder))) delete require.cache[name];
  }
  require(script);
});

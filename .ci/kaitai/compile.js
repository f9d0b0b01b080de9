// Compiles a spec file with the official Kaitai Struct compiler:
//
//   npm install && node compile.js [FILE.ksy [DIR]]
//
// FILE is spec/ulogger.ksy unless given. With DIR the JavaScript parsers are
// written there; without, only whether the compiler accepts the file counts.
// Exit code 1 and the compiler's words when it does not.
'use strict';

const fs = require('fs');
const path = require('path');
const compiler = require('kaitai-struct-compiler');
const yaml = require('yaml');

const [file = path.join(__dirname, '..', '..', 'spec', 'ulogger.ksy'), dir] = process.argv.slice(2);

async function main() {
  // YAML 1.2 as the compiler's own command line reads it; duplicate keys are errors.
  const spec = yaml.parse(fs.readFileSync(file, 'utf8'), { uniqueKeys: true });
  const parsers = await compiler.compile('javascript', spec, null, false);
  const names = Object.keys(parsers);
  if (names.length === 0) {
    throw new Error('the compiler gave no output');
  }
  if (dir !== undefined) {
    fs.mkdirSync(dir, { recursive: true });
    for (const name of names) {
      fs.writeFileSync(path.join(dir, name), parsers[name]);
    }
  }
  console.log(`${path.basename(file)}: accepted by the Kaitai Struct compiler ${compiler.version}: ${names.join(', ')}`);
}

main().catch((err) => {
  console.error(`${file}: ${err.message || err}`);
  process.exitCode = 1;
});

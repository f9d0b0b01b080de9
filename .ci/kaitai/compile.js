// Compiles spec files with the official Kaitai Struct compiler:
//
//   npm install && node compile.js [--out DIR] [FILE.ksy...]
//
// FILE is spec/ulogger.ksy unless given. With --out the JavaScript parsers are
// written to DIR; without, only whether the compiler accepts the files counts.
// Exit code 1, and the compiler's words, when it does not.
'use strict';

const fs = require('fs');
const path = require('path');
const compiler = require('kaitai-struct-compiler');
const yaml = require('yaml');

let files = process.argv.slice(2);
let dir;
if (files[0] === '--out') {
  dir = files[1];
  files = files.slice(2);
}
if (files.length === 0) {
  files = [path.join(__dirname, '..', '..', 'spec', 'ulogger.ksy')];
}

async function compile(file) {
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
  console.log(`${file}: accepted by the Kaitai Struct compiler ${compiler.version}: ${names.join(', ')}`);
}

(async () => {
  for (const file of files) {
    try {
      await compile(file);
    } catch (err) {
      console.error(`${file}: ${err.message || err}`);
      process.exitCode = 1;
    }
  }
})();

// Reads bytes with the parser that the official Kaitai Struct compiler makes of
// a spec file, for comparison with the project's own code:
//
//   NODE_PATH=node_modules node oracle.js PARSER.js INPUTS
//
// Each line of INPUTS is a type, its parameters and the bytes in hex, separated
// by spaces; parameters by commas, "-" where there are none. For each, a line
// comes out: "ok END TREE", "short", "value PLACE", or "broken MESSAGE" where
// the parser did something that it should not.
'use strict';

const fs = require('fs');
const path = require('path');
const KaitaiStream = require('kaitai-struct/KaitaiStream');

// The runtime reads 64-bit integers as doubles, exact only up to 2^53, decodes
// text with replacement characters and makes floating-point numbers of bits of
// which it keeps not all. Nothing in the spec computes with these values, so they
// are passed on as they are.
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
for (const [end, little] of [['le', true], ['be', false]]) {
  const read = (name, size, value) => {
    KaitaiStream.prototype[name + end] = function () {
      return value(view(this.readBytes(size)));
    };
  };
  read('readU8', 8, (v) => v.getBigUint64(0, little));
  read('readS8', 8, (v) => v.getBigInt64(0, little));
  read('readF4', 4, (v) => ({ bits: v.getUint32(0, little) }));
  read('readF8', 8, (v) => ({ bits: v.getBigUint64(0, little) }));
}
KaitaiStream.bytesToStr = (bytes) => bytes;

// The runtime takes a length for a signed number of 32 bits.
const readBytes = KaitaiStream.prototype.readBytes;
KaitaiStream.prototype.readBytes = function (size) {
  if (size > this.size - this.pos) {
    throw new KaitaiStream.EOFError(size, this.size - this.pos);
  }
  return readBytes.call(this, size);
};

// The compiler hands the place of a failed check in the spec to the runtime,
// which drops it.
for (const name of Object.keys(KaitaiStream).filter((k) => /^Validation\w+Error$/.test(k))) {
  KaitaiStream[name] = class extends KaitaiStream[name] {
    constructor(...args) {
      super(...args);
      this.srcPath = args[args.length - 1];
    }
  };
}

// text writes a value as the Go side does.
function text(v) {
  if (Array.isArray(v)) {
    return `[${v.map(text).join(',')}]`;
  }
  if (v instanceof Uint8Array) {
    return `x${Buffer.from(v).toString('hex')}`;
  }
  if (typeof v !== 'object') {
    return String(v);
  }
  if (v.bits !== undefined) {
    return `f${v.bits.toString(16)}`;
  }
  const fields = Object.keys(v).filter((k) => k[0] !== '_' && v[k] !== undefined);
  return `{${fields.map((k) => `${k.toLowerCase()}:${text(v[k])}`).join(',')}}`;
}

function read(types, line) {
  const [type, params, hex] = line.split(' ');
  const name = type.replace(/(?:^|_)([a-z0-9])/g, (_, c) => c.toUpperCase());
  const args = params === '-' ? [] : params.split(',').map(Number);
  const io = new KaitaiStream(Buffer.from(hex, 'hex'));
  if (types[name] === undefined) {
    return `broken no class ${name}`;
  }
  try {
    const v = new types[name](io, null, null, ...args);
    return `ok ${io.pos} ${text(v)}`;
  } catch (err) {
    if (err instanceof KaitaiStream.EOFError || /no terminator \d+ found$/.test(err.message)) {
      return 'short';
    }
    if (typeof err.srcPath === 'string') {
      return `value ${err.srcPath}`;
    }
    return `broken ${err.name}: ${String(err.message).replace(/\s+/g, ' ')}`;
  }
}

const [types] = Object.values(require(path.resolve(process.argv[2])));
const lines = fs.readFileSync(process.argv[3], 'utf8').split('\n');
if (lines.pop() !== '') {
  throw new Error('the last line is cut short');
}
process.stdout.write(lines.map((line) => `${read(types, line)}\n`).join(''));

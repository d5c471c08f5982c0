// Unit tests of the command channel's lines: what a boot writes must never be taken for an answer.
// Pure: no process is started.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { askText, bootstrapLines, joinPieces, parseConsoleLine, runText } from './console-lines.ts';

test('answers are understood', () => {
  assert.deepEqual(parseConsoleLine('a ab12-3'), { kind: 'accepted', id: 'ab12-3' });
  assert.deepEqual(parseConsoleLine('s ab12-3'), { kind: 'stale', id: 'ab12-3' });
  assert.deepEqual(parseConsoleLine('r ab12-3 0 aGk='), {
    kind: 'piece',
    id: 'ab12-3',
    index: 0,
    base64: 'aGk=',
  });
  assert.deepEqual(parseConsoleLine(`e ab12-3 7 1 ${'0'.repeat(32)}`), {
    kind: 'end',
    id: 'ab12-3',
    code: 7,
    pieces: 1,
    md5: '0'.repeat(32),
  });
  assert.equal(
    parseConsoleLine('/ # echo yado-""shell'),
    undefined,
    'the echo of our own question is no answer',
  );
  assert.deepEqual(parseConsoleLine('yado-shell'), { kind: 'shell' });
});

test('any text gives a line or nothing', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const line = parseConsoleLine(text);
      assert.ok(line === undefined || typeof line.kind === 'string');
    }),
  );
});

test('a result is whole or asked for again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), bytes => {
      const text =
        Buffer.from(bytes)
          .toString('base64')
          .match(/.{1,900}/g) ?? [];
      const pieces = new Map(text.map((piece, index) => [index, piece]));
      const md5 = createHash('md5').update(bytes).digest('hex');
      assert.deepEqual(joinPieces(pieces, text.length, md5), Buffer.from(bytes));
      assert.equal(joinPieces(pieces, text.length + 1, md5), undefined);
      assert.equal(joinPieces(pieces, text.length, '0'.repeat(32)), undefined);
    }),
  );
});

test('requests are single lines, and short enough for a shell that edits its lines', () => {
  assert.match(runText('boot', 'x-1', '-', 'echo "a\nb"'), /^\nX boot x-1 - \d+ [A-Za-z0-9+/=]+\n$/);
  assert.equal(askText('x-1'), '\nQ x-1\n');
  for (const line of bootstrapLines('x'.repeat(9000))) assert.ok(line.length < 900 && !line.includes('\n'));
});

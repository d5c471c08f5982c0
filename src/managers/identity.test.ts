// Keys and the certificates around them, as OpenSSL reads them.
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { identityOf, newSecret, publicKeyOf, serverKeys } from './identity.ts';

test('a certificate carries the key, is signed by it, and is valid whatever the clock says', () => {
  const { publicKey, certificate } = identityOf(newSecret());
  const read = new X509Certificate(certificate);
  assert.equal(publicKeyOf(read.publicKey), publicKey);
  assert.ok(read.verify(read.publicKey));
  assert.equal(read.subject, 'CN=yadokari');
  assert.ok(read.validFromDate < new Date('2001-01-01') && read.validToDate > new Date('9999-01-01'));
});

test('the same secret is the same identity, in both alphabets of base64', () => {
  const secret = '_-'.repeat(21).concat('8');
  const plain = `${secret.replaceAll('_', '/').replaceAll('-', '+')}=\n`;
  assert.equal(identityOf(secret).publicKey, identityOf(plain).publicKey);
  assert.deepEqual(identityOf(secret).certificate, identityOf(plain).certificate);
});

test('what is no key is refused', () => {
  for (const text of ['', 'short', 'A'.repeat(60)])
    assert.throws(() => identityOf(text), /a key has 32 bytes/);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.equal(publicKeyOf(publicKey), undefined);
});

test('a computer knows its owners by their keys', () => {
  const os = identityOf(newSecret()).publicKey;
  const keys = serverKeys({ secret: newSecret(), owners: [{ name: 'crab', key: os }] });
  assert.equal(keys.ownerOf(os), 'crab');
  assert.equal(keys.ownerOf(identityOf(newSecret()).publicKey), undefined);
});

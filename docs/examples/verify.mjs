// Verify a certificate with @noble/curves. Usage: verify.mjs [TRUSTED_GROUP_KEY_HEX] < certificate.json
//
// The JSON is what `quorate certificate show --json` prints. Exits with 0 if the certificate is good and with 1 if not.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { bls12_381 } from "@noble/curves/bls12-381.js";

const DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
const NUMBERS = { version: 2, shard: 4, leader_author: 2, epoch: 8, height: 8, leader_round: 8,
  timestamp_ms: 8, transactions_total: 8 };
const FIELDS = ("version chain shard epoch height previous leader_round leader_author leader timestamp_ms " +
  "transactions_total blocks_root receipts_root outbox_root state_root next_committee").split(" ");

/** Exactly `length` bytes of hexadecimal. */
function unhex(text, length) {
  assert(/^([0-9a-f]{2})*$/.test(text) && text.length === 2 * length, `not ${length} bytes in hexadecimal`);
  return Buffer.from(text, "hex");
}

function littleEndian(number, length) {
  assert(Number.isSafeInteger(number) && number >= 0, "a number beyond 2^53");
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes.subarray(0, length);
}

/** The message of a header: a tag, and SHA-256 of another tag and the header's fields one after another. */
function signingBytes(header) {
  const encoded = Buffer.concat(FIELDS.map((field) =>
    field in NUMBERS ? littleEndian(header[field], NUMBERS[field]) : unhex(header[field], 32)));
  assert(header.version === 1 && encoded.length === 304, "not a header of version 1");
  const hash = createHash("sha256").update("header\0\0").update(encoded).digest();
  return Buffer.concat([Buffer.from("finality"), hash]);
}

function verify(shown, trustedKey) {
  const message = unhex(shown.signing_bytes, 40);
  assert.equal(shown.dst, DST, "another ciphersuite");
  assert.equal(shown.group_public_key, trustedKey, "another group's certificate");
  assert(signingBytes(shown.header).equals(message), "the message is not the header's");
  const { shortSignatures } = bls12_381;
  const hashed = shortSignatures.hash(message, DST);
  const good = shortSignatures.verify(unhex(shown.signature, 48), hashed, unhex(trustedKey, 96));
  assert(good, "the signature does not verify");
}

try {
  const certificate = JSON.parse(readFileSync(0, "utf8"));
  verify(certificate, process.argv[2] ?? certificate.group_public_key);
  console.log(`height ${certificate.header.height} is final`);
} catch (error) {
  console.error(`refused: ${error.message}`);
  process.exit(1);
}

"""Verify a certificate with py_ecc. Usage: verify.py [TRUSTED_GROUP_KEY_HEX] < certificate.json

The JSON is what `quorate certificate show --json` prints. Exits with 0 if the certificate is good and with 1 if not.
"""

import hashlib
import json
import struct
import sys

from py_ecc.bls.g2_primitives import subgroup_check
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
from py_ecc.optimized_bls12_381 import G2, is_inf, pairing

DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
NUMBERS = {"version": "H", "shard": "I", "leader_author": "H", "epoch": "Q", "height": "Q", "leader_round": "Q",
           "timestamp_ms": "Q", "transactions_total": "Q"}
FIELDS = ("version chain shard epoch height previous leader_round leader_author leader timestamp_ms transactions_total "
          "blocks_root receipts_root outbox_root state_root next_committee").split()


def require(condition, reason):
    if not condition:
        raise ValueError(reason)


def signing_bytes(header):
    """The message of a header: a tag, and SHA-256 of another tag and the header's fields one after another."""
    encoded = b"".join(struct.pack("<" + NUMBERS[field], header[field]) if field in NUMBERS
                       else bytes.fromhex(header[field]) for field in FIELDS)
    require(header["version"] == 1 and len(encoded) == 304, "not a header of version 1")
    return b"finality" + hashlib.sha256(b"header\0\0" + encoded).digest()


def verify(shown, trusted_key):
    message = bytes.fromhex(shown["signing_bytes"])
    require(shown["dst"] == DST, "another ciphersuite")
    require(shown["group_public_key"] == trusted_key, "another group's certificate")
    require(signing_bytes(shown["header"]) == message, "the message is not the header's")
    key, signature = bytes.fromhex(trusted_key), bytes.fromhex(shown["signature"])
    require((len(key), len(signature)) == (96, 48), "a key has 96 bytes, a signature 48")
    key = decompress_G2((int.from_bytes(key[:48], "big"), int.from_bytes(key[48:], "big")))
    signature = decompress_G1(int.from_bytes(signature, "big"))
    for point in (key, signature):
        require(not is_inf(point) and subgroup_check(point), "not a point of the group")
    hashed = hash_to_G1(message, DST.encode(), hashlib.sha256)
    require(pairing(G2, signature) == pairing(key, hashed), "the signature does not verify")


try:
    certificate = json.load(sys.stdin)
    verify(certificate, sys.argv[1] if len(sys.argv) > 1 else certificate["group_public_key"])
except Exception as error:  # Whatever is wrong with the input, it is not a good certificate.
    sys.exit(f"refused: {error!r}")
print(f"height {certificate['header']['height']} is final")

//! The sample certificate of docs/examples, which the Python and JavaScript examples verify.

use std::path::PathBuf;

use quorate_crypto::ShareSecret;
use quorate_light::{SIGNATURE_DST, TrustedKey};
use quorate_types::{
    BlockId, Certificate, ChainId, CommitteeHash, Encode, Epoch, Hash32, Header, HeaderHash,
    Height, Round, ShardId, Signature, ThresholdKey, ValidatorIndex, merkle_root,
};
use serde::{Deserialize, Serialize};

const REWRITE: &str = "QUORATE_REWRITE=1 cargo test -p quorate-light --test it example";

/// What `quorate certificate show --json` prints (docs/light-clients.md). Byte strings are hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    group_public_key: String,
    dst: String,
    signing_bytes: String,
    signature: String,
    header: ShownHeader,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShownHeader {
    version: u16,
    chain: String,
    shard: u32,
    epoch: u64,
    height: u64,
    previous: String,
    leader_round: u64,
    leader_author: u16,
    leader: String,
    timestamp_ms: u64,
    transactions_total: u64,
    blocks_root: String,
    receipts_root: String,
    outbox_root: String,
    state_root: String,
    next_committee: String,
}

fn sample_header() -> Header {
    Header {
        chain: ChainId([0xc4; 32]),
        shard: ShardId(1),
        epoch: Epoch(2),
        height: Height(1_234),
        previous: HeaderHash([0xa1; 32]),
        leader_round: Round(1_300),
        leader_author: ValidatorIndex(3),
        leader: BlockId([0xb2; 32]),
        timestamp_ms: 1_767_225_600_000,
        transactions_total: 56_789,
        blocks_root: merkle_root([[0xb2; 32]]),
        receipts_root: merkle_root([b"receipt"]),
        outbox_root: merkle_root::<&[u8]>([]),
        state_root: Hash32([0x5e; 32]),
        next_committee: CommitteeHash([0; 32]),
    }
}

/// A certificate under a key that everybody knows: for nothing but examples.
fn sample() -> Shown {
    let secret = ShareSecret::from_bytes(&[0x42; 32]).unwrap();
    let header = sample_header();
    let signing_bytes = header.hash().signing_bytes();
    Shown {
        group_public_key: secret.public_key().to_hex(),
        dst: String::from_utf8(SIGNATURE_DST.to_vec()).unwrap(),
        signing_bytes: hex::encode(signing_bytes),
        signature: secret.sign_share(&signing_bytes).to_hex(),
        header: ShownHeader {
            version: Header::VERSION,
            chain: header.chain.to_hex(),
            shard: header.shard.0,
            epoch: header.epoch.0,
            height: header.height.0,
            previous: header.previous.to_hex(),
            leader_round: header.leader_round.0,
            leader_author: header.leader_author.0,
            leader: header.leader.to_hex(),
            timestamp_ms: header.timestamp_ms,
            transactions_total: header.transactions_total,
            blocks_root: header.blocks_root.to_hex(),
            receipts_root: header.receipts_root.to_hex(),
            outbox_root: header.outbox_root.to_hex(),
            state_root: header.state_root.to_hex(),
            next_committee: header.next_committee.to_hex(),
        },
    }
}

#[test]
fn the_sample_certificate_is_up_to_date_and_verifies() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/certificate.json");
    let sample = sample();
    if std::env::var_os("QUORATE_REWRITE").is_some() {
        let text = serde_json::to_string_pretty(&sample).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let recorded: Shown = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(recorded, sample, "if this is meant, run: {REWRITE}");

    let header = sample_header();
    let certificate = Certificate {
        header: header.clone(),
        signature: Signature::from_hex(&recorded.signature).unwrap(),
    };
    let group_key = ThresholdKey::from_hex(&recorded.group_public_key).unwrap();
    let key = TrustedKey::new(header.chain, header.shard, header.epoch, &group_key).unwrap();
    let verified = key.verify_certificate(&certificate.to_bytes()).unwrap();
    assert_eq!(verified.header(), &header);
}

/// The document's table of the header's bytes, row by row.
#[test]
fn the_documented_layout_of_a_header_is_its_encoding() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/light-clients.md");
    let text = std::fs::read_to_string(path).unwrap();
    let encoded = sample_header().to_bytes();
    let shown = serde_json::to_value(sample().header).unwrap();
    let mut end = 0;
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("| `"));
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, offset, length, field, ..] = cells[..] else {
            panic!("a row of the layout: {row}");
        };
        let (Ok(offset), Ok(length)) = (offset.parse::<usize>(), length.parse::<usize>()) else {
            continue;
        };
        assert_eq!(offset, end, "{row}");
        end = offset + length;
        let bytes = &encoded[offset..end];
        let value = &shown[field.trim_matches('`')];
        if let Some(number) = value.as_u64() {
            assert_eq!(number.to_le_bytes()[..length], *bytes, "{row}");
        } else {
            assert_eq!(value.as_str(), Some(&*hex::encode(bytes)), "{row}");
        }
    }
    assert_eq!(end, Header::LENGTH);
}

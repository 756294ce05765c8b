//! Genesis files.

use std::path::Path;

use quorate_node::files::WriteError;
use quorate_node::genesis_file::{self, GenesisFileError};
use quorate_types::{
    Allocation, AssetId, CommitteeError, Epoch, Execution, Genesis, GenesisAsset, GenesisError,
    IdentityKey, Member, RuleParameters, ShardId, ThresholdKey,
};

fn genesis() -> Genesis {
    Genesis {
        name: "a chain".into(),
        shard: ShardId(3),
        epoch: Epoch(1),
        quorum: 3,
        group_key: ThresholdKey([9; 96]),
        members: (0..4)
            .map(|index| Member {
                identity: IdentityKey([index; 32]),
                share_key: ThresholdKey([index; 96]),
            })
            .collect(),
        rule: RuleParameters::default(),
        execution: Execution::Ledger,
        transfer_fee: 1,
        fee_asset: AssetId(1),
        assets: vec![GenesisAsset {
            id: AssetId(1),
            decimals: 6,
        }],
        allocations: vec![Allocation {
            owner: IdentityKey([7; 32]),
            sub: 2,
            asset: AssetId(1),
            amount: (1 << 126) + 1,
        }],
    }
}

fn parse(text: &str) -> Result<Genesis, GenesisFileError> {
    genesis_file::parse(text.as_bytes(), Path::new("genesis.json"))
}

/// The text of the good file with one change.
fn changed(from: &str, to: &str) -> String {
    let text = genesis_file::to_text(&genesis());
    assert!(text.contains(from), "{from} is not in the file");
    text.replace(from, to)
}

#[test]
fn a_file_comes_back_as_it_was() {
    for execution in [Execution::Ledger, Execution::Opaque] {
        let genesis = Genesis {
            execution,
            ..genesis()
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("genesis.json");
        genesis_file::write_new(&genesis, &path).unwrap();
        assert_eq!(genesis_file::read(&path).unwrap(), genesis);
        let again = genesis_file::write_new(&genesis, &path);
        assert!(matches!(again, Err(WriteError::Exists { .. })));
    }
}

#[test]
fn a_changed_file_is_noticed() {
    let richer = changed(
        &((1u128 << 126) + 1).to_string(),
        &((1u128 << 126) + 2).to_string(),
    );
    assert!(matches!(
        parse(&richer),
        Err(GenesisFileError::ChainId { .. })
    ));
}

#[test]
fn content_must_obey_the_rules() {
    let quorum = parse(&changed("\"quorum\": 3", "\"quorum\": 2"));
    assert!(matches!(
        quorum,
        Err(GenesisFileError::Content {
            source: GenesisError::Committee(CommitteeError::Quorum { quorum: 2, .. }),
            ..
        })
    ));
    let asset = parse(&changed("\"fee_asset\": 1", "\"fee_asset\": 2"));
    assert!(matches!(
        asset,
        Err(GenesisFileError::Content {
            source: GenesisError::UnknownAsset { .. },
            ..
        })
    ));
}

#[test]
fn other_text_is_refused_with_line_and_column() {
    for (text, expected) in [
        (changed("\"shard\": 3", "\"shard\": -3"), "line"),
        (
            changed("\"shard\": 3", "\"shard\": 3, \"extra\": 1"),
            "unknown field `extra`",
        ),
        (
            changed("\"transfer_fee\": \"1\"", "\"transfer_fee\": 1"),
            "expected a string",
        ),
        (
            changed("\"transfer_fee\": \"1\"", "\"transfer_fee\": \"01\""),
            "without leading zeros",
        ),
        (
            changed(&"07".repeat(32), &"07".repeat(31)),
            "64 hexadecimal digits",
        ),
        (changed("\"ledger\"", "\"magic\""), "unknown variant"),
        (genesis_file::to_text(&genesis())[..400].to_owned(), "EOF"),
        ("[]".to_owned(), "line 1"),
    ] {
        match parse(&text) {
            Err(GenesisFileError::Json { source, .. }) => {
                assert!(
                    source.to_string().contains(expected),
                    "{source} lacks {expected}"
                );
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    let newer = parse(&changed(
        "\"version\": 1",
        "\"version\": 2, \"unheard\": true",
    ));
    assert!(matches!(
        newer,
        Err(GenesisFileError::Version { found: 2, .. })
    ));
}

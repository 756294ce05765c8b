//! Committees and genesis content: what is accepted, and the precise reason for what is not.

use quorate_types::limits::{ASSETS_MAX, NAME_BYTES_MAX};
use quorate_types::*;

use crate::generate::{Generate, Source};

fn members(count: u16) -> Vec<Member> {
    let mut source = Source::new("members", 0);
    (0..count).map(|_| Member::generate(&mut source)).collect()
}

fn committee(members: Vec<Member>, quorum: Option<u16>) -> Result<Committee, CommitteeError> {
    Committee::new(
        ChainId([1; 32]),
        ShardId(2),
        Epoch(3),
        quorum,
        ThresholdKey([4; 96]),
        members,
    )
}

#[test]
fn quorums_and_faults_of_committees() {
    // n, f, n - f.
    for (size, faults, quorum) in [
        (4, 1, 3),
        (5, 1, 4),
        (6, 1, 5),
        (7, 2, 5),
        (10, 3, 7),
        (100, 33, 67),
        (128, 42, 86),
    ] {
        let committee = committee(members(size), None).unwrap();
        assert_eq!(
            (committee.size(), committee.faults(), committee.quorum()),
            (size, faults, quorum)
        );
        // Two quorums share more than f members, so an honest one; and n - f honest members make a quorum.
        assert!(2 * committee.quorum() > size + faults);
    }
}

#[test]
fn a_committee_is_refused_for_its_size_its_quorum_or_a_member_twice() {
    let mut twice = members(7);
    twice[5].identity = twice[2].identity;
    let quorum = |quorum, least, most| CommitteeError::Quorum {
        quorum,
        least,
        most,
    };
    let cases = [
        (members(0), None, CommitteeError::Size { found: 0 }),
        (members(3), None, CommitteeError::Size { found: 3 }),
        (members(129), None, CommitteeError::Size { found: 129 }),
        (members(4), Some(2), quorum(2, 3, 4)),
        (members(4), Some(5), quorum(5, 3, 4)),
        (members(10), Some(0), quorum(0, 7, 10)),
        (
            twice,
            None,
            CommitteeError::DuplicateIdentity {
                first: ValidatorIndex(2),
                second: ValidatorIndex(5),
            },
        ),
    ];
    for (members, quorum, expected) in cases {
        assert_eq!(committee(members, quorum).unwrap_err(), expected);
    }
    for quorum in 7..=10 {
        assert_eq!(
            committee(members(10), Some(quorum)).unwrap().quorum(),
            quorum
        );
    }
}

#[test]
fn a_committee_finds_its_members() {
    let members = members(5);
    let committee = committee(members.clone(), None).unwrap();
    for (index, member) in committee.indices().zip(&members) {
        assert_eq!(committee.index_of(&member.identity), Some(index));
        assert_eq!(committee.member(index), Some(member));
    }
    assert_eq!(committee.member(ValidatorIndex(5)), None);
    assert_eq!(committee.index_of(&IdentityKey([0; 32])), None);
}

#[test]
fn an_encoded_committee_that_breaks_the_rules_is_refused() {
    let good = committee(members(4), Some(3)).unwrap().to_bytes();
    let mut bytes = good.clone();
    let quorum = 32 + 4 + 8;
    bytes[quorum] = 2;
    assert_eq!(
        Committee::from_bytes(&bytes),
        Err(CodecError::NotCanonical { field: "committee" })
    );
    assert!(Committee::from_bytes(&good).is_ok());
}

fn genesis() -> Genesis {
    Genesis {
        name: "test".into(),
        shard: ShardId(0),
        epoch: Epoch(0),
        quorum: 3,
        group_key: ThresholdKey([4; 96]),
        members: members(4),
        rule: RuleParameters::default(),
        execution: Execution::Ledger,
        transfer_fee: 1,
        fee_asset: AssetId(1),
        assets: [1, 5]
            .map(|id| GenesisAsset {
                id: AssetId(id),
                decimals: 6,
            })
            .into(),
        allocations: [(1, 10), (1, 20), (5, 30)]
            .map(|(asset, amount)| Allocation {
                owner: IdentityKey([7; 32]),
                sub: 0,
                asset: AssetId(asset),
                amount,
            })
            .into(),
    }
}

#[test]
fn genesis_content_is_refused_with_its_reason() {
    type Change = fn(&mut Genesis);
    const HALF: u128 = 1 << 126;
    let cases: [(Change, Result<(), GenesisError>); 26] = [
        (|_| {}, Ok(())),
        (|g| g.name = "n".repeat(NAME_BYTES_MAX as usize), Ok(())),
        (
            |g| g.name = "é".repeat(33),
            Err(GenesisError::Name { found: 66 }),
        ),
        (
            |g| g.quorum = 2,
            Err(GenesisError::Committee(CommitteeError::Quorum {
                quorum: 2,
                least: 3,
                most: 4,
            })),
        ),
        (
            |g| g.members.truncate(3),
            Err(GenesisError::Committee(CommitteeError::Size { found: 3 })),
        ),
        (|g| g.rule.wave = 4, Ok(())),
        (|g| g.rule.wave = 3, Err(GenesisError::Wave { found: 3 })),
        (|g| g.rule.wave = 6, Err(GenesisError::Wave { found: 6 })),
        (|g| g.rule.leaders = 4, Ok(())),
        (
            |g| g.rule.leaders = 0,
            Err(GenesisError::Leaders { found: 0, most: 4 }),
        ),
        (
            |g| g.rule.leaders = 5,
            Err(GenesisError::Leaders { found: 5, most: 4 }),
        ),
        (
            |g| {
                (g.members, g.quorum, g.rule.leaders) = (members(40), 40, 17);
            },
            Err(GenesisError::Leaders {
                found: 17,
                most: 16,
            }),
        ),
        (|g| g.rule.gc_depth = 16, Ok(())),
        (
            |g| g.rule.gc_depth = 15,
            Err(GenesisError::GcDepth { found: 15 }),
        ),
        (
            |g| g.rule.gc_depth = 10_001,
            Err(GenesisError::GcDepth { found: 10_001 }),
        ),
        (
            |g| g.assets.reverse(),
            Err(GenesisError::Assets { at: AssetId(1) }),
        ),
        (
            |g| g.assets[1].id = AssetId(1),
            Err(GenesisError::Assets { at: AssetId(1) }),
        ),
        (
            |g| g.fee_asset = AssetId(2),
            Err(GenesisError::UnknownAsset { asset: AssetId(2) }),
        ),
        (|g| (g.fee_asset, g.transfer_fee) = (AssetId(2), 0), Ok(())),
        (
            |g| g.allocations[2].asset = AssetId(3),
            Err(GenesisError::UnknownAsset { asset: AssetId(3) }),
        ),
        (|g| g.allocations.clear(), Ok(())),
        (
            |g| (g.allocations[0].amount, g.allocations[1].amount) = (HALF, HALF - 1),
            Ok(()),
        ),
        (
            |g| (g.allocations[0].amount, g.allocations[1].amount) = (HALF, HALF),
            Err(GenesisError::Supply { asset: AssetId(1) }),
        ),
        (
            |g| (g.allocations[0].amount, g.allocations[1].amount) = (u128::MAX, 1),
            Err(GenesisError::Supply { asset: AssetId(1) }),
        ),
        (
            |g| g.allocations[2].amount = 1 << 127,
            Err(GenesisError::Supply { asset: AssetId(5) }),
        ),
        (
            |g| {
                g.assets = (0..=ASSETS_MAX)
                    .map(|id| GenesisAsset {
                        id: AssetId(id),
                        decimals: 0,
                    })
                    .collect();
            },
            Err(GenesisError::TooMany { found: 257 }),
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut genesis = genesis();
        change(&mut genesis);
        assert_eq!(genesis.validate(), expected, "case {number}");
    }
}

#[test]
fn the_committee_of_a_genesis_bears_its_chain_id() {
    let genesis = genesis();
    let committee = genesis.committee().unwrap();
    assert_eq!(committee.chain(), genesis.chain_id());
    let renamed = Genesis {
        name: "other".into(),
        ..genesis.clone()
    };
    assert_ne!(renamed.chain_id(), genesis.chain_id());
    assert_ne!(renamed.committee().unwrap().hash(), committee.hash());
}

#[test]
fn lengths_that_are_written_down() {
    let header = Header::generate(&mut Source::new("header", 0));
    assert_eq!(header.to_bytes().len(), Header::LENGTH);
    let message = header.hash().signing_bytes();
    assert_eq!(&message[..8], b"finality");
    assert_eq!(message[8..], header.hash().0);
}

#[test]
fn reject_codes_are_numbered_once() {
    for code in RejectCode::ALL {
        assert_eq!(RejectCode::from_number(*code as u16), Some(*code));
        assert!(!code.name().is_empty() && !code.to_string().is_empty());
    }
    assert_eq!(RejectCode::from_number(0), None);
}

#[test]
fn hexadecimal_is_exact() {
    let hash = Hash32([0xa5; 32]);
    assert_eq!(Hash32::from_hex(&hash.to_hex()), Some(hash));
    assert_eq!(Hash32::from_hex(&hash.to_hex().to_uppercase()), Some(hash));
    for bad in [
        "",
        "a5",
        &"g0".repeat(32),
        &"a5".repeat(33),
        &"é".repeat(32),
    ] {
        assert_eq!(Hash32::from_hex(bad), None, "{bad}");
    }
}

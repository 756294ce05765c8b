//! What members of a key ceremony send each other, and what it leaves behind.

use quorate_crypto::pvss::{ChunkOpening, Sequential};
use quorate_dkg::reshare::Ready;
use quorate_dkg::{
    DealerEvidence, Definition, Enrolment, Keys, MemberSet, Message, Previous, Purpose, Record,
    SignedDealing, Transcript, agreement,
};
use quorate_types::{Decode, Encode, Signature, TranscriptHash, ValidatorIndex};

use super::types::codec;
use crate::Target;
use crate::canonical::canonical;
use crate::samples::ceremony::GENESIS;

pub(super) fn targets() -> Vec<Target> {
    vec![
        codec!("dkg-message", Message, messages()).allocated_max(256 << 10),
        codec!("dkg-record", Record, records()).allocated_max(256 << 10),
        codec!("dkg-dealing", SignedDealing, [GENESIS.dealings[0].clone()]),
        codec!("dkg-definition", Definition, definitions()),
        codec!("dkg-enrolment", Enrolment, enrolments()),
        codec!("dkg-previous", Previous, previous()),
        codec!("dkg-keys", Keys, [GENESIS.transcript.keys.clone()]),
        codec!("dkg-agreement", agreement::Message, agreement_messages()),
        codec!("dkg-member-set", MemberSet, [set([0, 2, 3])]),
        codec!("dkg-ready", Ready, [ready()]),
        codec!("dkg-opening", ChunkOpening, [opening()]),
        Target::new("dkg-transcript", transcript, || {
            vec![GENESIS.transcript.to_bytes()]
        })
        .mutations(60),
        Target::new("dkg-dealing-body", dealing_body, || {
            vec![GENESIS.dealings[0].body.to_vec()]
        })
        .mutations(60)
        .allocated_max(1 << 20),
        Target::new("dkg-evidence", evidence, evidences)
            .mutations(100)
            .allocated_max(1 << 20),
    ]
}

/// Members by index.
pub(super) fn set<const N: usize>(members: [u16; N]) -> MemberSet {
    members.into_iter().map(ValidatorIndex).collect()
}

fn messages() -> Vec<Message> {
    let dealing = &GENESIS.dealings[1];
    let (dealer, hash) = (dealing.dealer, dealing.hash());
    let proposer = ValidatorIndex(2);
    let share = Signature([4; 48]);
    let members = set([0, 1, 3]);
    vec![
        Message::Echo {
            dealer,
            hash,
            signature: dealing.signature,
        },
        Message::Ready { dealer, hash },
        Message::Proposal { set: members },
        Message::ProposalEcho {
            proposer,
            set: members,
        },
        Message::ProposalReady {
            proposer,
            set: members,
        },
        Message::Agreement {
            proposer,
            message: agreement_messages()[0],
        },
        Message::CoinShare {
            proposer,
            round: 2,
            share,
        },
        Message::CompletionShare {
            transcript: TranscriptHash([8; 32]),
            share,
        },
        Message::Complete {
            set: members,
            hashes: vec![hash; 3],
            certificate: share,
        },
    ]
}

fn records() -> Vec<Record> {
    let messages = messages().into_iter().take(2).map(Record::Outgoing);
    let body = Record::Body(GENESIS.dealings[2].clone());
    messages.chain([body]).collect()
}

fn agreement_messages() -> Vec<agreement::Message> {
    use agreement::Message;
    vec![
        Message::Echo1 {
            round: 0,
            value: true,
        },
        Message::Echo3 {
            round: 3,
            value: None,
        },
        Message::Finish {
            value: false,
            round: Some(4),
        },
        Message::Finish {
            value: true,
            round: None,
        },
    ]
}

fn definitions() -> Vec<Definition> {
    let definition = GENESIS.ceremony.definition().clone();
    vec![definition, GENESIS.handing.clone()]
}

fn enrolments() -> Vec<Enrolment> {
    GENESIS.ceremony.definition().members.clone()
}

fn previous() -> Vec<Previous> {
    match &GENESIS.handing.purpose {
        Purpose::Reshare { previous } => vec![previous.clone()],
        Purpose::Genesis => Vec::new(),
    }
}

fn ready() -> Ready {
    Ready {
        ceremony: GENESIS.ceremony.id(),
        transcript: GENESIS.transcript.hash(),
        member: ValidatorIndex(1),
        share: Signature([6; 48]),
    }
}

fn opening() -> ChunkOpening {
    ChunkOpening::from_bytes(&[9; 124]).unwrap()
}

/// A transcript that verifies is the ceremony's.
fn transcript(bytes: &[u8]) -> bool {
    let Some(transcript) = canonical::<Transcript>(bytes) else {
        return false;
    };
    let verified = transcript.verify(&Sequential).is_ok();
    assert!(!verified || transcript == GENESIS.transcript, "a forgery");
    verified
}

/// A dealing's points and proofs, signed by a dealer that is free to write what it likes: the verdict is the same each time, and
/// no two bodies with the dealer's own commitments are valid.
fn dealing_body(bytes: &[u8]) -> bool {
    let (ceremony, dealer) = (&GENESIS.ceremony, ValidatorIndex(0));
    let identity = &GENESIS.identities[0];
    let dealing = SignedDealing::sign(ceremony, dealer, bytes.into(), identity);
    let valid = dealing.validate(ceremony, &Sequential).is_ok();
    assert!(
        !valid || *bytes == *GENESIS.dealings[0].body,
        "a malleable proof"
    );
    valid
}

/// Only dealers that did it are convicted: here, nobody but member 3, who signed two dealings.
fn evidence(bytes: &[u8]) -> bool {
    let Some(evidence) = canonical::<DealerEvidence>(bytes) else {
        return false;
    };
    if let Ok(dealer) = evidence.verify(&GENESIS.ceremony) {
        assert_eq!(dealer, ValidatorIndex(3), "an honest dealer is convicted");
    }
    true
}

fn evidences() -> Vec<Vec<u8>> {
    let (one, other) = (
        GENESIS.signed_hash(3, b"one"),
        GENESIS.signed_hash(3, b"other"),
    );
    let twins = DealerEvidence::two_dealings(ValidatorIndex(3), one, other).unwrap();
    assert_eq!(twins.verify(&GENESIS.ceremony), Ok(ValidatorIndex(3)));
    let dealing = GENESIS.dealings[1].clone();
    let invalid = DealerEvidence::InvalidDealing(dealing.clone());
    let chunk = DealerEvidence::BadChunk {
        dealing,
        opening: opening(),
    };
    crate::canonical::encoded([twins, invalid, chunk])
}

//! How far a ceremony is, for people and programs.

use std::fmt;

use quorate_dkg::{Ceremony, MemberSet, Phase, Role, Status};
use quorate_types::{CeremonyId, IdentityKey, ThresholdKey, TranscriptHash, ValidatorIndex};

use crate::api::ConnectionState;

/// How far a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CeremonyPhase {
    /// It has not dealt: it waits until enough others have said what they know of it.
    Starting,
    /// Dealings are exchanged.
    Dealing,
    /// Members propose dealings that everybody will have.
    Proposing,
    /// The members agree on which proposals count.
    Agreeing,
    /// The certificate and the files are being made.
    Completing,
    /// Share, transcript and public keys are on the disk.
    Complete,
    /// It lost its log, says nothing, and waits for the result.
    Silent,
}

/// A ceremony, seen from one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyStatus {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Its name.
    pub name: String,
    /// This member.
    pub member: ValidatorIndex,
    /// n.
    pub size: u16,
    /// f.
    pub faults: u16,
    /// q.
    pub quorum: u16,
    /// How far this member is.
    pub phase: CeremonyPhase,
    /// Dealers whose dealing is delivered, and here.
    pub delivered: MemberSet,
    /// Members whose proposal was accepted.
    pub accepted: MemberSet,
    /// Members whose proposal was rejected.
    pub rejected: MemberSet,
    /// Members whose share of the certificate is here.
    pub signers: MemberSet,
    /// How many messages this member said.
    pub outbox: u64,
    /// The other members, ascending.
    pub peers: Vec<CeremonyPeer>,
    /// How many pieces of evidence were written.
    pub evidence: u64,
    /// What is waited for; empty once complete. See also [`CeremonyStatus::explain`].
    pub waits: Vec<CeremonyWait>,
    /// What went wrong at this member itself, for people.
    pub failures: Vec<String>,
    /// What the ceremony made, once complete.
    pub result: Option<CeremonyResult>,
}

/// Another member, seen from this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyPeer {
    /// Which.
    pub index: ValidatorIndex,
    /// Its name in the definition.
    pub name: String,
    /// Its identity.
    pub identity: IdentityKey,
    /// Where it is dialled.
    pub address: String,
    /// The connection that its messages come over.
    pub state: ConnectionState,
    /// How many of its messages came since this process started.
    pub received: u64,
    /// How many of this member's messages it said to hold.
    pub held: Option<u64>,
    /// Whether it said that it is complete.
    pub complete: bool,
    /// Whether it has heard that this member is complete.
    pub acknowledged: bool,
    /// The ceremony that it runs instead of this one.
    pub other_ceremony: Option<CeremonyId>,
    /// How it lied, in which case it is not listened to any more; or why the last connection failed.
    pub last_error: String,
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyWait {
    /// What, for people.
    pub what: String,
    /// From whom it can come, ascending; empty if it is this member's own work.
    pub members: Vec<ValidatorIndex>,
}

/// What a ceremony made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyResult {
    /// The transcript's hash.
    pub transcript: TranscriptHash,
    /// Dealers whose dealings make the key.
    pub dealers: MemberSet,
    /// The group key.
    pub group_key: ThresholdKey,
    /// This member's share key.
    pub share_key: ThresholdKey,
}

impl fmt::Display for CeremonyPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Dealing => "dealing",
            Self::Proposing => "proposing",
            Self::Agreeing => "agreeing",
            Self::Completing => "completing",
            Self::Complete => "complete",
            Self::Silent => "silent",
        })
    }
}

impl CeremonyStatus {
    /// The status before anything happened.
    pub(super) fn new(ceremony: &Ceremony, me: ValidatorIndex, addresses: &[String]) -> Self {
        let definition = ceremony.definition();
        let members = ceremony.indices().zip(&definition.members).zip(addresses);
        let peers =
            members
                .filter(|((index, _), _)| *index != me)
                .map(|((index, member), address)| CeremonyPeer {
                    index,
                    name: member.name.clone(),
                    identity: member.identity,
                    address: address.clone(),
                    state: ConnectionState::Connecting,
                    received: 0,
                    held: None,
                    complete: false,
                    acknowledged: false,
                    other_ceremony: None,
                    last_error: String::new(),
                });
        Self {
            ceremony: ceremony.id(),
            name: definition.name.clone(),
            member: me,
            size: ceremony.size(),
            faults: ceremony.faults(),
            quorum: ceremony.quorum(),
            phase: CeremonyPhase::Starting,
            delivered: MemberSet::default(),
            accepted: MemberSet::default(),
            rejected: MemberSet::default(),
            signers: MemberSet::default(),
            outbox: 0,
            peers: peers.collect(),
            evidence: 0,
            waits: Vec::new(),
            failures: Vec::new(),
            result: None,
        }
    }

    /// Whether every other member is known to be complete, and to know that this one is.
    #[must_use]
    pub fn all_complete(&self) -> bool {
        let told = |peer: &CeremonyPeer| peer.complete && peer.acknowledged;
        self.result.is_some() && self.peers.iter().all(told)
    }

    /// What is waited for, and which members run another ceremony: no waiting helps there, but it is the place to look.
    #[must_use]
    pub fn explain(&self) -> Vec<CeremonyWait> {
        let others = self.peers.iter().filter_map(|peer| {
            let other = peer.other_ceremony?;
            Some(CeremonyWait {
                what: format!(
                    "member {} ({}) runs another ceremony: {other}; this one is {}",
                    peer.index, peer.name, self.ceremony
                ),
                members: vec![peer.index],
            })
        });
        others.chain(self.waits.iter().cloned()).collect()
    }

    /// Takes over what the engine says.
    pub(super) fn follow(&mut self, status: &Status, started: bool) {
        self.phase = match (status.role, status.phase) {
            _ if self.result.is_some() => CeremonyPhase::Complete,
            (Role::Silent, phase) if phase < Phase::Complete => CeremonyPhase::Silent,
            _ if !started => CeremonyPhase::Starting,
            (_, Phase::Recovering) => CeremonyPhase::Starting,
            (_, Phase::Dealing) => CeremonyPhase::Dealing,
            (_, Phase::Proposing) => CeremonyPhase::Proposing,
            (_, Phase::Agreeing) => CeremonyPhase::Agreeing,
            (_, Phase::Completing | Phase::Complete) => CeremonyPhase::Completing,
        };
        self.delivered = status.dealings_delivered;
        self.accepted = status.proposals_accepted;
        self.rejected = status.proposals_rejected;
        self.signers = status.completion_shares;
        self.outbox = status.outbox;
        self.failures = status.failures.iter().map(ToString::to_string).collect();
        if status.role == Role::Silent && self.result.is_none() {
            let lost = "the log was lost: this member says nothing and waits for the result";
            self.failures.push(lost.to_owned());
        }
    }

    pub(super) fn peer_mut(&mut self, index: ValidatorIndex) -> Option<&mut CeremonyPeer> {
        self.peers.iter_mut().find(|peer| peer.index == index)
    }
}

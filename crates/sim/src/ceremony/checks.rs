//! What is promised, checked while a world runs and at its end.

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::bls::{ShareIndex, lagrange_at_zero};
use quorate_crypto::pvss::Sequential;
use quorate_crypto::{IndexedShare, ShareSecret};
use quorate_dkg::agreement::Message as Vote;
use quorate_dkg::{DealerEvidence, Message, Outcome, verify_hash_signature};
use quorate_types::{DealingHash, ThresholdKey, ValidatorIndex};

use crate::ceremony::failure::BrokenPromise;
use crate::ceremony::mix::CeremonyMix;
use crate::ceremony::setup::CeremonySetup;
use crate::dice::Dice;

/// What members said, what they were told, and whom they accuse.
#[derive(Default)]
pub(crate) struct Checks {
    /// What an honest member said, by the place in which it may say one thing.
    said: BTreeMap<(ValidatorIndex, Slot), Message>,
    /// Which dealings of whom a member was told of since its last start.
    heard: BTreeMap<(ValidatorIndex, ValidatorIndex), BTreeSet<DealingHash>>,
    /// Evidence that was verified.
    verified: Vec<DealerEvidence>,
    /// The liars that somebody convicted.
    pub(crate) convicted: BTreeSet<ValidatorIndex>,
    broken: Option<BrokenPromise>,
}

/// A place in which an honest member says one thing in a whole ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    kind: u8,
    about: ValidatorIndex,
    round: u32,
}

impl Checks {
    /// The first promise that was broken.
    pub(crate) const fn broken(&self) -> Option<&BrokenPromise> {
        self.broken.as_ref()
    }

    pub(crate) fn report(&mut self, broken: BrokenPromise) {
        self.broken.get_or_insert(broken);
    }

    /// An honest member's message reaches somebody.
    pub(crate) fn hear(&mut self, from: ValidatorIndex, message: &Message) {
        let known = self.said.entry((from, slot(message)));
        let known = known.or_insert_with(|| message.clone());
        if known != message {
            let (first, second) = (Box::new(known.clone()), Box::new(message.clone()));
            self.report(BrokenPromise::Contradiction {
                member: from,
                first,
                second,
            });
        }
    }

    /// A member takes note of a dealing's hash, from an echo of an honest peer or from the dealer.
    pub(crate) fn learn(&mut self, setup: &CeremonySetup, to: ValidatorIndex, message: &Message) {
        let (dealer, hash, signature) = match message {
            Message::Dealing(dealing) => (dealing.dealer, dealing.hash(), dealing.signature),
            Message::Echo {
                dealer,
                hash,
                signature,
            } => (*dealer, *hash, *signature),
            _ => return,
        };
        if verify_hash_signature(&setup.ceremony, dealer, &hash, &signature).is_ok() {
            self.heard.entry((to, dealer)).or_default().insert(hash);
        }
    }

    pub(crate) fn forget(&mut self, member: ValidatorIndex) {
        self.heard.retain(|(to, _), _| *to != member);
    }

    /// A member that has heard of two dealings of one dealer has evidence of that.
    pub(crate) fn check_twins(&mut self, member: ValidatorIndex, evidence: &[DealerEvidence]) {
        let of = |dealer: ValidatorIndex| {
            evidence.iter().any(|one| {
                matches!(one, DealerEvidence::TwoDealings { .. }) && one.dealer() == dealer
            })
        };
        let twins = self.heard.iter().find_map(|((to, dealer), hashes)| {
            (*to == member && *dealer != member && hashes.len() > 1 && !of(*dealer))
                .then_some(*dealer)
        });
        if let Some(dealer) = twins {
            self.report(BrokenPromise::NoEvidence { member, dealer });
        }
    }

    /// Evidence comes out of an honest member.
    pub(crate) fn accuse(
        &mut self,
        setup: &CeremonySetup,
        mix: &CeremonyMix,
        member: ValidatorIndex,
        evidence: &DealerEvidence,
    ) {
        let accused = evidence.dealer();
        if mix.is_honest(accused) && !mix.loses_disk(accused) {
            self.report(BrokenPromise::FalseEvidence { member, accused });
        }
        if self.verified.contains(evidence) {
            return;
        }
        match evidence.verify(&setup.ceremony) {
            Ok(convicted) if convicted == accused => {
                self.convicted.insert(accused);
                self.verified.push(evidence.clone());
            }
            Ok(_) => self.report(BrokenPromise::FalseEvidence { member, accused }),
            Err(error) => self.report(BrokenPromise::WeakEvidence { member, error }),
        }
    }
}

fn slot(message: &Message) -> Slot {
    let nobody = ValidatorIndex(u16::MAX);
    let (kind, about, round) = match message {
        Message::Dealing(_) => (0, nobody, 0),
        Message::Echo { dealer, .. } => (1, *dealer, 0),
        Message::Ready { dealer, .. } => (2, *dealer, 0),
        Message::Proposal { .. } => (3, nobody, 0),
        Message::ProposalEcho { proposer, .. } => (4, *proposer, 0),
        Message::ProposalReady { proposer, .. } => (5, *proposer, 0),
        Message::Agreement { proposer, message } => {
            let (kind, round) = match message {
                Vote::Echo1 { round, value } => (6 + u8::from(*value), *round),
                Vote::Echo2 { round, .. } => (8, *round),
                Vote::Echo3 { round, .. } => (9, *round),
                Vote::Finish { round, .. } => (10 + u8::from(round.is_some()), 0),
            };
            (kind, *proposer, round)
        }
        Message::CoinShare {
            proposer, round, ..
        } => (12, *proposer, *round),
        Message::CompletionShare { .. } => (13, nobody, 0),
        Message::Complete { .. } => (14, nobody, 0),
    };
    Slot { kind, about, round }
}

/// A result with the share of whoever has it.
pub(crate) type Held<'a> = (ValidatorIndex, &'a Outcome, Option<&'a ShareSecret>);

/// Checks what honest members ended with. `thorough` verifies a whole transcript from its bytes.
pub(crate) fn check_results(
    setup: &CeremonySetup,
    held: &[Held<'_>],
    dice: &mut Dice,
    thorough: bool,
) -> Result<(), BrokenPromise> {
    let (first, outcome, _) = held[0];
    for (second, other, _) in held {
        let same = (other.hash, &other.transcript.keys) == (outcome.hash, &outcome.transcript.keys);
        if !same || other.transcript.hash() != outcome.hash {
            let second = *second;
            return Err(BrokenPromise::Results { first, second });
        }
    }
    let keys = &outcome.transcript.keys;
    let mut shares: Vec<(ValidatorIndex, &ShareSecret)> = Vec::new();
    for (member, _, share) in held {
        let own = share.filter(|share| share.public_key() == keys.shares[member.position()]);
        let share = own.ok_or(BrokenPromise::Share { member: *member })?;
        shares.push((*member, share));
    }
    let transcript = |error| BrokenPromise::Transcript {
        member: first,
        error,
    };
    if thorough {
        outcome.transcript.verify(&Sequential).map_err(transcript)?;
    }
    check_signing(setup, keys.group, keys, &shares, dice)
}

/// Any q shares sign, one less do not and are worth nothing together.
fn check_signing(
    setup: &CeremonySetup,
    group: ThresholdKey,
    keys: &quorate_dkg::Keys,
    shares: &[(ValidatorIndex, &ShareSecret)],
    dice: &mut Dice,
) -> Result<(), BrokenPromise> {
    let quorum = usize::from(setup.ceremony.quorum());
    if shares.len() < quorum {
        // A quorum above the number of honest members cannot be tried without liars.
        return Ok(());
    }
    let mut chosen = shares.to_vec();
    for at in (1..chosen.len()).rev() {
        let other = usize::try_from(dice.below(at as u64 + 1)).expect("below n");
        chosen.swap(at, other);
    }
    chosen.truncate(quorum);
    let members: Vec<_> = chosen.iter().map(|(member, _)| *member).collect();
    let message = dice.bytes();
    let signed: Vec<IndexedShare> = chosen
        .iter()
        .map(|(member, share)| (*member, share.sign_share(&message)))
        .collect();
    let failed = || BrokenPromise::QuorumFails {
        members: members.clone(),
    };
    let public = keys.parse(setup.ceremony.quorum()).map_err(|_| failed())?;
    let combined = public.combine(&message, &signed).map_err(|_| failed())?;
    public
        .verify(&message, &combined.signature)
        .map_err(|_| failed())?;

    let few = &members[..quorum - 1];
    let points: Vec<ShareIndex> = few.iter().map(|member| ShareIndex::from(*member)).collect();
    let weights = lagrange_at_zero(&points).expect("members are distinct");
    let terms: Vec<_> = weights
        .into_iter()
        .zip(chosen.iter().map(|(_, share)| *share))
        .collect();
    let secret = ShareSecret::weighted_sum(&terms);
    let signs = public.combine(&message, &signed[..quorum - 1]).is_ok();
    if signs || secret.public_key() == group {
        let members = few.to_vec();
        return Err(BrokenPromise::TooFewSign { members });
    }
    Ok(())
}

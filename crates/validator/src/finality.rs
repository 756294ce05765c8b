//! From executed headers and shares to certificates, in order of height.
//!
//! A height is final when q members signed the header that this validator computed itself; the combination is checked
//! under the group key before anybody sees it. While one batch of cryptography runs, what arrives waits for the next
//! batch, so that the batch grows with the load.
//!
//! Invariant: `certified` is the highest height such that it and all below have certificates. Peers that are ahead send
//! finished certificates instead of shares. A certificate, or q shares, for a header other than the own one means that
//! the committee has failed its assumption or this machine computes wrongly: [`Finality`] reports it and stops.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{
    Certificate, Evidence, FinalityShare, Header, HeaderHash, Height, Signature, ValidatorIndex,
};

use crate::job::{Candidate, CandidateVerdict, Job, Proof};
use crate::validator::Effect;

/// How far above the certified height shares and certificates are kept. Drivers stop reading a peer's finality stream
/// beyond it; bounds memory to n entries a height.
pub const FINALITY_WINDOW: u64 = 4096;

/// Most heights in one batch of cryptography: bounds how long a batch may take.
const BATCH_HEIGHTS_MAX: usize = 64;

/// Where finality stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalityStatus {
    /// All heights up to this one have certificates.
    pub certified: Height,
    /// The highest executed height.
    pub executed: Height,
}

/// What a peer may say about a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Share,
    Certificate,
}

#[derive(Debug, Default)]
struct Slot {
    /// The own header, once executed.
    header: Option<(HeaderHash, Header)>,
    /// The first share of each member.
    shares: BTreeMap<ValidatorIndex, (HeaderHash, Signature)>,
    /// Finished signatures that peers offered, not yet checked.
    offered: BTreeMap<ValidatorIndex, (HeaderHash, Signature)>,
    /// The committee's signature over the own header.
    signature: Option<Signature>,
    /// Whether a batch that holds this height is under way.
    busy: bool,
}

/// Collects shares into certificates.
#[derive(Debug)]
pub(crate) struct Finality {
    quorum: usize,
    certified: Height,
    executed: Height,
    slots: BTreeMap<Height, Slot>,
    /// Heights of which something was heard since a batch last looked at them.
    changed: BTreeSet<Height>,
    busy: bool,
    /// What was looked at and does not verify: the same peer's next word of that kind for that height is not heard.
    convicted: BTreeSet<(Height, ValidatorIndex, Said)>,
}

impl Finality {
    /// Starts above the `certified` height.
    pub(crate) const fn new(quorum: usize, certified: Height) -> Self {
        Self {
            quorum,
            certified,
            executed: certified,
            slots: BTreeMap::new(),
            changed: BTreeSet::new(),
            busy: false,
            convicted: BTreeSet::new(),
        }
    }

    pub(crate) const fn status(&self) -> FinalityStatus {
        FinalityStatus {
            certified: self.certified,
            executed: self.executed,
        }
    }

    /// The own header of `height`, if it is executed and not certified yet.
    #[cfg(test)]
    pub(crate) fn waits_for(&self, height: Height) -> bool {
        self.slots
            .get(&height)
            .is_some_and(|slot| slot.header.is_some() && slot.signature.is_none())
    }

    /// The own header of a height that was just executed.
    pub(crate) fn executed(&mut self, header: Header, out: &mut Vec<Effect>) {
        self.executed = self.executed.max(header.height);
        if header.height <= self.certified {
            return;
        }
        let slot = self.changed_slot(header.height);
        slot.header = Some((header.hash(), header));
        self.next_batch(out);
    }

    /// A share, own or a peer's. The first of each member and height counts.
    pub(crate) fn share(
        &mut self,
        from: ValidatorIndex,
        share: FinalityShare,
        out: &mut Vec<Effect>,
    ) {
        if !self.within_window(share.height)
            || self.convicted.contains(&(share.height, from, Said::Share))
        {
            return;
        }
        let slot = self.changed_slot(share.height);
        slot.shares
            .entry(from)
            .or_insert((share.header_hash, share.signature));
        self.next_batch(out);
    }

    /// A certificate that a peer offers.
    pub(crate) fn certificate(
        &mut self,
        from: ValidatorIndex,
        certificate: &Certificate,
        out: &mut Vec<Effect>,
    ) {
        let height = certificate.header.height;
        if !self.within_window(height)
            || self.convicted.contains(&(height, from, Said::Certificate))
        {
            return;
        }
        let offer = (certificate.header.hash(), certificate.signature);
        let slot = self.changed_slot(height);
        slot.offered.entry(from).or_insert(offer);
        self.next_batch(out);
    }

    /// The answer to a [`Job::Finality`].
    pub(crate) fn verdicts(&mut self, verdicts: Vec<CandidateVerdict>, out: &mut Vec<Effect>) {
        self.busy = false;
        for verdict in verdicts {
            self.verdict(verdict, out);
        }
        self.emit_certificates(out);
        self.next_batch(out);
    }

    fn changed_slot(&mut self, height: Height) -> &mut Slot {
        self.changed.insert(height);
        self.slots.entry(height).or_default()
    }

    fn within_window(&self, height: Height) -> bool {
        height > self.certified && height.0 - self.certified.0 <= FINALITY_WINDOW
    }

    fn verdict(&mut self, verdict: CandidateVerdict, out: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(&verdict.height) else {
            return;
        };
        slot.busy = false;
        let height = verdict.height;
        self.changed.insert(height);
        let bad_shares = verdict
            .bad_shares
            .iter()
            .map(|author| (*author, Said::Share));
        let bad_offer = verdict.bad_offer.map(|from| (from, Said::Certificate));
        for (author, said) in bad_shares.chain(bad_offer) {
            match said {
                Said::Share => drop(slot.shares.remove(&author)),
                Said::Certificate => drop(slot.offered.remove(&author)),
            }
            if self.convicted.insert((height, author, said)) {
                out.push(Effect::Evidence(Evidence::BadFinalityShare {
                    author,
                    height,
                }));
            }
        }
        let Some(signature) = verdict.signature else {
            return;
        };
        match &slot.header {
            Some((own, _)) if *own == verdict.header_hash => slot.signature = Some(signature),
            Some((own, _)) => out.push(Effect::Diverged {
                height: verdict.height,
                own: *own,
                certified: verdict.header_hash,
            }),
            None => {}
        }
    }

    /// Hands out what is certified, as far as there is no gap.
    fn emit_certificates(&mut self, out: &mut Vec<Effect>) {
        while let Some(entry) = self.slots.first_entry() {
            if *entry.key() != self.certified.next() || entry.get().signature.is_none() {
                break;
            }
            let slot = entry.remove();
            self.certified = self.certified.next();
            if let (Some((_, header)), Some(signature)) = (slot.header, slot.signature) {
                out.push(Effect::Certified(Box::new(Certificate {
                    header,
                    signature,
                })));
            }
        }
        let certified = self.certified;
        self.convicted.retain(|(height, _, _)| *height > certified);
    }

    /// Starts a batch over everything that may be final now, unless one is under way.
    fn next_batch(&mut self, out: &mut Vec<Effect>) {
        if self.busy {
            return;
        }
        let mut candidates = Vec::new();
        while candidates.len() < BATCH_HEIGHTS_MAX
            && let Some(height) = self.changed.pop_first()
        {
            // A height that is certified has no slot any more.
            if let Some(slot) = self.slots.get_mut(&height)
                && let Some(candidate) = slot.candidate(height, self.quorum)
            {
                slot.busy = true;
                candidates.push(candidate);
            }
        }
        if candidates.is_empty() {
            return;
        }
        self.busy = true;
        out.push(Effect::Compute(Job::Finality { candidates }));
    }
}

impl Slot {
    /// What may prove this height final: an offered signature first, then q shares over one hash.
    fn candidate(&self, height: Height, quorum: usize) -> Option<Candidate> {
        if self.busy || self.signature.is_some() || self.header.is_none() {
            return None;
        }
        if let Some((from, (header_hash, signature))) = self.offered.first_key_value() {
            return Some(Candidate {
                height,
                header_hash: *header_hash,
                proof: Proof::Signature {
                    from: *from,
                    signature: *signature,
                },
            });
        }
        if self.shares.len() < quorum {
            return None;
        }
        let mut by_hash: BTreeMap<HeaderHash, Vec<(ValidatorIndex, Signature)>> = BTreeMap::new();
        for (author, (hash, signature)) in &self.shares {
            by_hash
                .entry(*hash)
                .or_default()
                .push((*author, *signature));
        }
        let (header_hash, shares) = by_hash
            .into_iter()
            .find(|(_, shares)| shares.len() >= quorum)?;
        Some(Candidate {
            height,
            header_hash,
            proof: Proof::Shares(shares),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_types::{BlockId, ChainId, CommitteeHash, Epoch, Hash32, Round, ShardId};

    fn header(height: u64) -> Header {
        Header {
            chain: ChainId([1; 32]),
            shard: ShardId(0),
            epoch: Epoch(0),
            height: Height(height),
            previous: HeaderHash([0; 32]),
            leader_round: Round(height),
            leader_author: ValidatorIndex(0),
            leader: BlockId([2; 32]),
            timestamp_ms: 0,
            transactions_total: 0,
            blocks_root: Hash32::ZERO,
            receipts_root: Hash32::ZERO,
            outbox_root: Hash32::ZERO,
            state_root: Hash32::ZERO,
            next_committee: CommitteeHash([0; 32]),
        }
    }

    fn share(height: u64, hash: HeaderHash, author: u16) -> FinalityShare {
        FinalityShare {
            height: Height(height),
            header_hash: hash,
            signature: Signature([u8::try_from(author).unwrap(); 48]),
        }
    }

    fn jobs(out: &mut Vec<Effect>) -> Vec<Candidate> {
        let mut found = Vec::new();
        out.retain(|effect| match effect {
            Effect::Compute(Job::Finality { candidates }) => {
                found.extend(candidates.clone());
                false
            }
            _ => true,
        });
        found
    }

    fn good(candidate: &Candidate) -> CandidateVerdict {
        CandidateVerdict::on_shares(candidate, Some(Signature([7; 48])), Vec::new())
    }

    #[test]
    fn q_shares_over_the_own_header_certify_and_q_minus_one_do_not() {
        let mut finality = Finality::new(3, Height(0));
        let mut out = Vec::new();
        let hash = header(1).hash();
        finality.executed(header(1), &mut out);
        for author in 0..2 {
            finality.share(ValidatorIndex(author), share(1, hash, author), &mut out);
            finality.share(ValidatorIndex(author), share(1, hash, author), &mut out);
        }
        assert!(jobs(&mut out).is_empty(), "two members signed, twice each");
        finality.share(ValidatorIndex(2), share(1, hash, 2), &mut out);
        let batch = jobs(&mut out);
        assert_eq!(batch.len(), 1);
        finality.verdicts(vec![good(&batch[0])], &mut out);
        assert!(
            matches!(&out[..], [Effect::Certified(certificate)] if certificate.header == header(1))
        );
        assert_eq!(finality.status().certified, Height(1));
    }

    #[test]
    fn certificates_come_out_in_order_and_one_batch_runs_at_a_time() {
        let mut finality = Finality::new(3, Height(0));
        let mut out = Vec::new();
        for height in 1..=3 {
            finality.executed(header(height), &mut out);
        }
        for height in [2, 3, 1] {
            for author in 0..3 {
                let hash = header(height).hash();
                finality.share(
                    ValidatorIndex(author),
                    share(height, hash, author),
                    &mut out,
                );
            }
        }
        let first = jobs(&mut out);
        assert_eq!(
            first.len(),
            1,
            "height 2 was ready first and its batch is under way"
        );
        finality.verdicts(first.iter().map(good).collect(), &mut out);
        assert!(
            !out.iter()
                .any(|effect| matches!(effect, Effect::Certified(_)))
        );
        let second = jobs(&mut out);
        assert_eq!(second.len(), 2, "heights 1 and 3 go together");
        finality.verdicts(second.iter().map(good).collect(), &mut out);
        let heights: Vec<u64> = out
            .iter()
            .filter_map(|effect| match effect {
                Effect::Certified(certificate) => Some(certificate.header.height.0),
                _ => None,
            })
            .collect();
        assert_eq!(heights, [1, 2, 3]);
    }

    #[test]
    fn a_bad_share_is_blamed_and_waits_for_a_good_one() {
        let mut finality = Finality::new(3, Height(0));
        let mut out = Vec::new();
        let hash = header(1).hash();
        finality.executed(header(1), &mut out);
        for author in 0..3 {
            finality.share(ValidatorIndex(author), share(1, hash, author), &mut out);
        }
        let batch = jobs(&mut out);
        let verdict = CandidateVerdict::on_shares(&batch[0], None, vec![ValidatorIndex(1)]);
        finality.verdicts(vec![verdict], &mut out);
        assert!(matches!(
            &out[..],
            [Effect::Evidence(Evidence::BadFinalityShare {
                author: ValidatorIndex(1),
                height: Height(1)
            })]
        ));
        out.clear();
        finality.share(ValidatorIndex(1), share(1, hash, 1), &mut out);
        assert!(
            jobs(&mut out).is_empty(),
            "the convicted member is not heard again"
        );
        assert!(finality.waits_for(Height(1)));
        finality.share(ValidatorIndex(3), share(1, hash, 3), &mut out);
        assert_eq!(jobs(&mut out).len(), 1);
    }

    #[test]
    fn a_certificate_for_another_header_is_reported_only_if_it_verifies() {
        let mut other = header(1);
        other.timestamp_ms = 5;
        let offer = Certificate {
            header: other,
            signature: Signature([9; 48]),
        };
        for verifies in [true, false] {
            let mut finality = Finality::new(3, Height(0));
            let mut out = Vec::new();
            finality.certificate(ValidatorIndex(2), &offer, &mut out);
            assert!(
                jobs(&mut out).is_empty(),
                "nothing to compare with before execution"
            );
            finality.executed(header(1), &mut out);
            let batch = jobs(&mut out);
            let signature = Signature([9; 48]);
            let verdict =
                CandidateVerdict::on_offer(&batch[0], ValidatorIndex(2), signature, verifies);
            finality.verdicts(vec![verdict], &mut out);
            let diverged = out
                .iter()
                .any(|effect| matches!(effect, Effect::Diverged { .. }));
            let blamed = out
                .iter()
                .any(|effect| matches!(effect, Effect::Evidence(_)));
            assert_eq!((diverged, blamed), (verifies, !verifies));
        }
    }

    #[test]
    fn what_lies_outside_the_window_is_not_kept() {
        let mut finality = Finality::new(3, Height(10));
        let mut out = Vec::new();
        let hash = header(1).hash();
        for height in [0, 10, 10 + FINALITY_WINDOW + 1, u64::MAX] {
            finality.share(ValidatorIndex(0), share(height, hash, 0), &mut out);
        }
        assert!(finality.slots.is_empty());
        finality.share(
            ValidatorIndex(0),
            share(10 + FINALITY_WINDOW, hash, 0),
            &mut out,
        );
        assert_eq!(finality.slots.len(), 1);
    }

    #[test]
    fn a_bad_certificate_convicts_its_sender_alone() {
        let mut finality = Finality::new(3, Height(0));
        let mut out = Vec::new();
        for from in 1..4 {
            let offer = Certificate {
                header: header(1),
                signature: Signature([u8::try_from(from).unwrap(); 48]),
            };
            finality.certificate(ValidatorIndex(from), &offer, &mut out);
        }
        finality.executed(header(1), &mut out);
        let batch = jobs(&mut out);
        let bad =
            CandidateVerdict::on_offer(&batch[0], ValidatorIndex(1), Signature([1; 48]), false);
        finality.verdicts(vec![bad], &mut out);
        let convicted = out
            .iter()
            .filter(|effect| matches!(effect, Effect::Evidence(_)));
        assert_eq!(convicted.count(), 1);
        let next = jobs(&mut out);
        assert!(
            matches!(
                next[..],
                [Candidate {
                    proof: Proof::Signature {
                        from: ValidatorIndex(2),
                        ..
                    },
                    ..
                }]
            ),
            "the next peer's offer is looked at: {next:?}"
        );
        let verdict =
            CandidateVerdict::on_offer(&next[0], ValidatorIndex(2), Signature([2; 48]), true);
        finality.verdicts(vec![verdict], &mut out);
        assert_eq!(finality.status().certified, Height(1));
    }

    #[test]
    fn bad_shares_do_not_condemn_a_certificate_that_waits() {
        let mut finality = Finality::new(3, Height(0));
        let mut out = Vec::new();
        finality.executed(header(1), &mut out);
        for author in 0..3 {
            finality.share(
                ValidatorIndex(author),
                share(1, header(1).hash(), author),
                &mut out,
            );
        }
        let batch = jobs(&mut out);
        let offer = Certificate {
            header: header(1),
            signature: Signature([7; 48]),
        };
        finality.certificate(ValidatorIndex(3), &offer, &mut out);
        let verdict = CandidateVerdict::on_shares(&batch[0], None, vec![ValidatorIndex(0)]);
        finality.verdicts(vec![verdict], &mut out);
        let next = jobs(&mut out);
        assert!(
            matches!(
                next[..],
                [Candidate {
                    proof: Proof::Signature { .. },
                    ..
                }]
            ),
            "{next:?}"
        );
    }
}

//! Who does the engines' jobs: real key holders, or a stand-in without keys for runs by the hundred.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use quorate_crypto::IdentitySecret;
use quorate_crypto::pvss::{ChunkTable, DealingError, EncryptionSecret, Sequential};
use quorate_dkg::{
    Ceremony, CoinJob, DealingFault, DealingName, Definition, Enrolment, Job, JobFailure,
    JobResult, KeyHolder, Keys, MemberSet, Purpose, SignedDealing, transcript_hash,
};
use quorate_types::{Signature, ThresholdKey, TranscriptHash, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

static TABLE: LazyLock<ChunkTable> = LazyLock::new(ChunkTable::new);

/// First bytes of a dealing that the stand-in calls invalid.
pub(crate) const INVALID: &[u8] = b"invalid";

/// A committee's secrets, and the ceremony they enrolled for.
pub(crate) struct Committee {
    pub(crate) ceremony: Arc<Ceremony>,
    pub(crate) identities: Vec<Arc<IdentitySecret>>,
    pub(crate) encryption: Vec<Arc<EncryptionSecret>>,
}

impl Committee {
    pub(crate) fn new(members: u16) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(members));
        let mut identities = Vec::new();
        let mut encryption = Vec::new();
        let mut enrolments = Vec::new();
        for number in 0..members {
            let identity = Arc::new(IdentitySecret::generate(&mut rng));
            let secret = Arc::new(EncryptionSecret::generate(&mut rng));
            let (name, address) = (
                format!("member {number}"),
                format!("m{number}.example:7103"),
            );
            let enrolment = Enrolment::new(&identity, &secret, name, address, &mut rng);
            enrolments.push(enrolment.unwrap());
            identities.push(identity);
            encryption.push(secret);
        }
        let name = "test".to_owned();
        let organiser = &identities[0];
        let definition = Definition::sign(name, Purpose::Genesis, 0, None, enrolments, organiser);
        Self {
            ceremony: Arc::new(Ceremony::new(definition).unwrap()),
            identities,
            encryption,
        }
    }
}

/// What does one member's jobs. Made anew when the member restarts.
pub(crate) trait Work {
    fn new(committee: &Committee, me: ValidatorIndex, seed: u64) -> Self;
    fn perform(&mut self, job: Job) -> JobResult;
}

/// With keys.
pub(crate) struct RealWork {
    pub(crate) holder: KeyHolder,
    ceremony: Arc<Ceremony>,
    rng: ChaCha20Rng,
}

impl Work for RealWork {
    fn new(committee: &Committee, me: ValidatorIndex, seed: u64) -> Self {
        let identity = committee.identities[me.position()].clone();
        let encryption = committee.encryption[me.position()].clone();
        Self {
            holder: KeyHolder::new(&committee.ceremony, identity, encryption).unwrap(),
            ceremony: committee.ceremony.clone(),
            rng: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    fn perform(&mut self, job: Job) -> JobResult {
        self.holder
            .perform(&self.ceremony, job, &TABLE, &Sequential, &mut self.rng)
    }
}

/// Without keys: hashes stand for signatures. Dealings are signed all the same, as the engine checks that itself.
pub(crate) struct FakeWork {
    ceremony: Arc<Ceremony>,
    identity: Arc<IdentitySecret>,
    me: ValidatorIndex,
    rng: ChaCha20Rng,
    valid: BTreeSet<DealingName>,
}

impl FakeWork {
    fn keys(&self, names: &[DealingName]) -> (Keys, TranscriptHash) {
        let key = |k: u16| {
            let mut bytes = [0; ThresholdKey::LENGTH];
            for (at, byte) in bytes.iter_mut().enumerate() {
                let sum = names.iter().map(|(_, hash)| hash.0[at % 32]);
                *byte = sum.fold(k.to_le_bytes()[0], u8::wrapping_add);
            }
            ThresholdKey(bytes)
        };
        let keys = Keys {
            group: key(0),
            shares: (1..=self.ceremony.size()).map(key).collect(),
        };
        let hash = transcript_hash(&self.ceremony.id(), names, &keys);
        (keys, hash)
    }

    fn require_valid(&self, names: &[DealingName]) -> Result<(), JobFailure> {
        let unknown = names.iter().find(|name| !self.valid.contains(name));
        unknown.map_or(Ok(()), |name| {
            let dealer = name.0;
            Err(JobFailure::UnknownDealing { dealer })
        })
    }

    fn try_perform(&mut self, job: Job) -> Result<JobResult, JobFailure> {
        Ok(match job {
            Job::Deal => {
                let mut body = vec![0; 64];
                self.rng.fill_bytes(&mut body);
                let dealing =
                    SignedDealing::sign(&self.ceremony, self.me, body.into(), &self.identity);
                JobResult::Dealt(dealing)
            }
            Job::Validate(dealing) => {
                let name = (dealing.dealer, dealing.hash());
                let verdict = if dealing.body.starts_with(INVALID) {
                    Err(DealingFault::Invalid(DealingError::Proof))
                } else {
                    self.valid.insert(name);
                    Ok(())
                };
                JobResult::Validated {
                    dealing: name,
                    verdict,
                    evidence: Vec::new(),
                }
            }
            Job::SignCoin(coin) => {
                self.require_valid(&coin.dealings)?;
                JobResult::CoinSigned {
                    proposer: coin.proposer,
                    round: coin.round,
                    share: coin_share(&coin, self.me),
                }
            }
            Job::CombineCoin { coin, shares } => {
                self.require_valid(&coin.dealings)?;
                let (good, bad) = judge(&shares, |of| coin_share(&coin, of));
                let enough = good > usize::from(self.ceremony.faults());
                JobResult::CoinCombined {
                    proposer: coin.proposer,
                    round: coin.round,
                    coin: enough.then(|| coin_value(&coin)),
                    bad,
                }
            }
            Job::SignCompletion { dealings } => {
                self.require_valid(&dealings)?;
                let (keys, transcript) = self.keys(&dealings);
                JobResult::CompletionSigned {
                    transcript,
                    keys,
                    share: completion_share(&transcript, self.me),
                }
            }
            Job::CombineCompletion { dealings, shares } => {
                let (_, transcript) = self.keys(&dealings);
                let (good, bad) = judge(&shares, |of| completion_share(&transcript, of));
                let enough = good >= usize::from(self.ceremony.quorum());
                let certificate = enough.then(|| certificate(&transcript));
                JobResult::CompletionCombined { certificate, bad }
            }
            Job::CheckComplete {
                dealings,
                certificate: claimed,
            } => {
                self.require_valid(&dealings)?;
                let (keys, transcript) = self.keys(&dealings);
                let right = claimed == certificate(&transcript);
                JobResult::CompleteChecked {
                    dealings,
                    certificate: claimed,
                    keys: right.then_some(keys),
                }
            }
        })
    }
}

impl Work for FakeWork {
    fn new(committee: &Committee, me: ValidatorIndex, seed: u64) -> Self {
        Self {
            ceremony: committee.ceremony.clone(),
            identity: committee.identities[me.position()].clone(),
            me,
            rng: ChaCha20Rng::seed_from_u64(seed),
            valid: BTreeSet::new(),
        }
    }

    fn perform(&mut self, job: Job) -> JobResult {
        self.try_perform(job).unwrap_or_else(JobResult::Failed)
    }
}

/// How many shares are what they should be, and whose are not.
fn judge(
    shares: &[(ValidatorIndex, Signature)],
    right: impl Fn(ValidatorIndex) -> Signature,
) -> (usize, Vec<ValidatorIndex>) {
    let bad = shares.iter().filter(|(of, share)| *share != right(*of));
    let bad: Vec<_> = bad.map(|(of, _)| *of).collect();
    (shares.len() - bad.len(), bad)
}

fn stand_in(parts: &[&[u8]]) -> Signature {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut bytes = [0; Signature::LENGTH];
    hasher.finalize_xof().fill(&mut bytes);
    Signature(bytes)
}

fn coin_bytes(coin: &CoinJob) -> Vec<u8> {
    let mut bytes = coin.proposer.0.to_le_bytes().to_vec();
    bytes.extend(coin.round.to_le_bytes());
    bytes.extend(coin.dealings.iter().flat_map(|(_, hash)| hash.0));
    bytes
}

fn coin_share(coin: &CoinJob, of: ValidatorIndex) -> Signature {
    stand_in(&[b"coin", &coin_bytes(coin), &of.0.to_le_bytes()])
}

fn coin_value(coin: &CoinJob) -> bool {
    stand_in(&[b"bit", &coin_bytes(coin)]).0[0] & 1 == 1
}

fn completion_share(transcript: &TranscriptHash, of: ValidatorIndex) -> Signature {
    stand_in(&[b"completion", &transcript.0, &of.0.to_le_bytes()])
}

fn certificate(transcript: &TranscriptHash) -> Signature {
    stand_in(&[b"certificate", &transcript.0])
}

/// A set of members by index.
pub(crate) fn set(members: impl IntoIterator<Item = u16>) -> MemberSet {
    members.into_iter().map(ValidatorIndex).collect()
}

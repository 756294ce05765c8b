//! The thread with the secrets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use quorate_crypto::ShareSecret;
use quorate_crypto::pvss::{ChunkTable, EncryptionSecret};
use quorate_dkg::{Input, KeyHolder, Outcome};
use quorate_types::{DomainTag, Signature};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::error::CeremonyError;
use super::outputs;
use super::parallel::RayonParallel;
use super::shared::{Event, Order, Shared};
use super::status::CeremonyResult;
use crate::keystore::{Passphrase, ScryptCost};

/// The thread's own state.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    /// Until the share is stored.
    pub(super) holder: Option<KeyHolder>,
    /// Until the share is stored.
    pub(super) encryption: Option<Arc<EncryptionSecret>>,
    pub(super) passphrase: Passphrase,
    pub(super) scrypt: ScryptCost,
    pub(super) directory: PathBuf,
    pub(super) parallel: RayonParallel,
    /// Once the share is stored.
    pub(super) share: Option<ShareSecret>,
}

impl Worker {
    /// Works until it is told to stop.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        let table = ChunkTable::new();
        let mut rng = generator();
        while let Ok(order) = orders.recv() {
            match order {
                Order::Job(job) => {
                    // After the end there is nothing left to compute.
                    if let Some(holder) = &mut self.holder {
                        let ceremony = &self.shared.ceremony;
                        let result =
                            holder.perform(ceremony, job, &table, &self.parallel, &mut rng);
                        self.shared.tell(Event::Input(Input::Done(result)));
                    }
                }
                Order::Finish(outcome) => {
                    let written = self.finish(&outcome, &table, &mut rng);
                    self.shared.tell(Event::Written(written));
                }
                Order::Prove { challenge, reply } => {
                    let _ = reply.send(self.prove(&challenge));
                }
                Order::Stop => return,
            }
        }
    }

    /// Writes the share, then what everybody may see. Without a share the rest is written all the same: it is what the
    /// share can be recovered from.
    fn finish(
        &mut self,
        outcome: &Outcome,
        table: &ChunkTable,
        rng: &mut ChaCha20Rng,
    ) -> Result<CeremonyResult, CeremonyError> {
        let transcript = &outcome.transcript;
        let share = self.own_share(outcome, table);
        if let Ok(share) = &share {
            outputs::write_share(share, &self.directory, &self.passphrase, self.scrypt, rng)?;
        }
        let bytes = outputs::write_transcript(transcript, &self.directory)?;
        outputs::write_group(&transcript.keys, &self.directory.join(outputs::GROUP_FILE))?;
        self.shared.keep_transcript(bytes.into());
        let share = share?;
        let share_key = share.public_key();
        self.share = Some(share);
        self.holder = None;
        self.encryption = None;
        Ok(CeremonyResult {
            transcript: outcome.hash,
            dealers: transcript
                .dealings
                .iter()
                .map(|dealing| dealing.dealer)
                .collect(),
            group_key: transcript.keys.group,
            share_key,
        })
    }

    /// The own share; it belongs to the share key in the transcript.
    fn own_share(
        &self,
        outcome: &Outcome,
        table: &ChunkTable,
    ) -> Result<ShareSecret, CeremonyError> {
        let me = self.shared.me;
        let expected = outcome.transcript.keys.shares.get(me.position());
        let held = self.holder.as_ref().and_then(KeyHolder::share);
        if let Some(held) = held.filter(|held| Some(&held.public_key()) == expected) {
            let copy = ShareSecret::from_bytes(&held.expose_bytes());
            return Ok(copy.expect("the bytes of a share are those of a share"));
        }
        // From the public record, which also says what is wrong if that does not work.
        let verified = outcome
            .transcript
            .verify(&self.parallel)
            .map_err(CeremonyError::Result)?;
        let encryption = self.encryption.as_ref();
        let encryption = encryption.expect("it is given up with the engine's only result");
        Ok(verified.recover_share(encryption, me, table)?)
    }

    fn prove(&self, challenge: &[u8; 32]) -> Option<Signature> {
        let mut message = DomainTag::ShareChallenge.bytes().to_vec();
        message.extend_from_slice(self.shared.ceremony.id().as_ref());
        message.extend_from_slice(challenge);
        Some(self.share.as_ref()?.sign_share(&message))
    }
}

/// A generator seeded by the operating system.
pub(super) fn generator() -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).expect("the operating system has randomness");
    ChaCha20Rng::from_seed(*seed)
}

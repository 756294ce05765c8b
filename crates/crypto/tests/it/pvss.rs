//! Dealings: honest ones are valid, and nothing else is.

use quorate_crypto::ShareSecret;
use quorate_crypto::pvss::{
    Dealing, DealingError, EncryptionSecret, Parameters, Recipients, Sequential, deal,
};
use quorate_types::{EncryptionKey, ThresholdKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) const CONTEXT: [u8; 32] = [9; 32];

/// Members of a ceremony and their keys.
pub(crate) struct Members {
    pub(crate) parameters: Parameters,
    pub(crate) keys: Vec<EncryptionKey>,
    pub(crate) recipients: Recipients,
}

impl Members {
    pub(crate) fn new(members: u16, thresholds: &[u16]) -> Self {
        let mut rng = rng(u64::from(members));
        let keys: Vec<EncryptionKey> = (0..members)
            .map(|_| EncryptionSecret::generate(&mut rng).public())
            .collect();
        Self {
            parameters: Parameters::new(members, thresholds).unwrap(),
            recipients: Recipients::parse(&keys).unwrap(),
            keys,
        }
    }

    pub(crate) fn deal(&self, secrets: &[Option<&ShareSecret>], seed: u64) -> Vec<u8> {
        deal(
            &self.parameters,
            &CONTEXT,
            &self.recipients,
            secrets,
            &mut rng(seed),
        )
        .unwrap()
    }

    pub(crate) fn validate(
        &self,
        expected: &[Option<ThresholdKey>],
        bytes: &[u8],
    ) -> Result<Dealing, DealingError> {
        Dealing::validate(
            &self.parameters,
            &CONTEXT,
            &self.recipients,
            expected,
            bytes,
            &Sequential,
        )
    }
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

#[test]
fn honest_dealings_are_valid() {
    let secret = ShareSecret::random(&mut rng(77));
    let key = secret.public_key();
    for members in [4u16, 7, 16] {
        let faults = (members - 1) / 3;
        for thresholds in [&[members - faults][..], &[members - faults, faults + 1]] {
            let setup = Members::new(members, thresholds);
            let open = vec![None; thresholds.len()];
            let bytes = setup.deal(&open, 1);
            assert_eq!(bytes.len(), setup.parameters.dealing_bytes());
            setup
                .validate(&vec![None; thresholds.len()], &bytes)
                .unwrap();

            let fixed = vec![Some(&secret); thresholds.len()];
            let bytes = setup.deal(&fixed, 2);
            let dealing = setup
                .validate(&vec![Some(key); thresholds.len()], &bytes)
                .unwrap();
            assert_eq!(dealing.commitment(0, 0).to_bytes(), key.0);
        }
    }
}

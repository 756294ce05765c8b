//! A committee with its keys and its genesis.

use std::sync::Arc;

use quorate_consensus::Options;
use quorate_crypto::dealer::deal;
use quorate_crypto::{GroupKey, IdentitySecret};
use quorate_sync::{Trust, VerifiesGroup};
use quorate_types::{
    Allocation, AssetId, Certificate, Committee, DomainTag, Execution, Genesis, GenesisAsset,
    IdentitySignature, Member, Round, ShardId, Signature, ThresholdKey, ValidatorIndex,
};
use quorate_validator::{BlsCryptography, Cryptography};

use crate::cryptography::{HashKeys, KeyedHashCryptography};
use crate::dice::Dice;
use crate::mix::Mix;
use crate::options::SimOptions;
use crate::remembered::Remembered;

/// The one asset of simulated chains.
pub(crate) const ASSET: AssetId = AssetId(0);
/// Accounts with money at genesis.
const ACCOUNTS: usize = 8;
const BALANCE: u128 = 10_000;
pub(crate) const FEE: u128 = 1;

/// What all validators of a world have in common, and their keys.
pub(crate) struct Setup {
    pub(crate) genesis: Genesis,
    pub(crate) committee: Committee,
    pub(crate) options: Options,
    pub(crate) cryptography: Vec<Arc<dyn Cryptography>>,
    pub(crate) accounts: Vec<IdentitySecret>,
    verifier: CommitteeKey,
    /// The seeds of the members' identities, from which liars sign what no honest validator would.
    identities: Vec<[u8; 32]>,
}

/// What verifies the committee's signatures.
#[derive(Clone)]
pub(crate) enum CommitteeKey {
    Bls(Arc<GroupKey>),
    Hash(Arc<HashKeys>),
}

impl VerifiesGroup for CommitteeKey {
    fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        match self {
            Self::Bls(group) => group.verify(message, signature).is_ok(),
            Self::Hash(keys) => keys.group_signature(message) == *signature,
        }
    }
}

impl Setup {
    pub(crate) fn new(seed: u64, options: &SimOptions, mix: &Mix) -> Self {
        let size = options.validators;
        let mut dice = Dice::new(seed, size, "keys");
        let seeds: Vec<[u8; 32]> = (0..size).map(|_| dice.bytes()).collect();
        let mut identities: Vec<IdentitySecret> =
            seeds.iter().map(IdentitySecret::from_bytes).collect();
        let accounts = secrets(&mut dice, ACCOUNTS);
        let quorum = size - (size - 1) / 3;
        let dealt = mix
            .real_cryptography
            .then(|| deal(size, quorum, dice.rng()));
        let nothing = ThresholdKey([0; 96]);
        let members = identities
            .iter()
            .enumerate()
            .map(|(position, identity)| Member {
                identity: identity.public(),
                share_key: dealt
                    .as_ref()
                    .map_or(nothing, |dealt| dealt.shares_public[position]),
            });
        let group_key = dealt.as_ref().map_or(nothing, |dealt| dealt.group);
        let genesis = genesis(mix, quorum, group_key, members.collect(), &accounts);
        genesis.validate().expect("the mix keeps to the limits");
        let committee = genesis.committee().expect("it was just validated");

        let mut cryptography: Vec<Arc<dyn Cryptography>> = Vec::new();
        let verifier = if let Some(dealt) = dealt {
            let memory = Arc::default();
            for (identity, share) in identities.drain(..).zip(dealt.secrets) {
                let keys = BlsCryptography::new(committee.clone(), identity, share);
                let keys = keys.expect("the dealer's keys fit");
                cryptography.push(Arc::new(Remembered::new(keys, Arc::clone(&memory))));
            }
            let group = GroupKey::parse(&group_key).expect("the dealer's key parses");
            CommitteeKey::Bls(Arc::new(group))
        } else {
            let keys = Arc::new(HashKeys::new(dice.bytes(), quorum));
            for me in committee.indices() {
                let one = KeyedHashCryptography::new(committee.clone(), me, Arc::clone(&keys));
                let one = one.expect("real identity keys parse");
                #[cfg(feature = "mutants")]
                let one = {
                    let liar = !mix.behaviours[me.position()].is_empty();
                    one.with_mistake(options.driver_fault, liar)
                };
                cryptography.push(Arc::new(one));
            }
            CommitteeKey::Hash(keys)
        };
        Self {
            options: validator_options(options, mix),
            genesis,
            committee,
            cryptography,
            accounts,
            verifier,
            identities: seeds,
        }
    }

    /// Signs a block as its author, whatever is in it.
    pub(crate) fn sign_block(
        &self,
        author: ValidatorIndex,
        digest: &[u8; 32],
    ) -> IdentitySignature {
        match &self.verifier {
            CommitteeKey::Bls(_) => {
                let identity = IdentitySecret::from_bytes(&self.identities[author.position()]);
                identity.sign(DomainTag::BlockSignature, digest)
            }
            CommitteeKey::Hash(keys) => keys.identity(author, digest),
        }
    }

    /// The coin of a round before anybody can know it. None: not even the world can tell, for the cryptography is real.
    pub(crate) fn coin(&self, round: Round) -> Option<Signature> {
        match &self.verifier {
            CommitteeKey::Bls(_) => None,
            CommitteeKey::Hash(keys) => {
                Some(keys.group_signature(&self.committee.coin_message(round)))
            }
        }
    }

    /// Whether the committee signed a certificate's header.
    pub(crate) fn verifies(&self, certificate: &Certificate) -> bool {
        let message = certificate.header.hash().signing_bytes();
        self.verifier.verifies(&message, &certificate.signature)
    }

    /// What whoever joins by state sync knows for certain.
    pub(crate) fn trust(&self) -> Trust<CommitteeKey> {
        let key = self.verifier.clone();
        Trust::with_key(self.committee.clone(), self.genesis.rule, key)
    }

    pub(crate) fn cryptography(&self, me: ValidatorIndex) -> &Arc<dyn Cryptography> {
        &self.cryptography[me.position()]
    }
}

fn secrets(dice: &mut Dice, count: usize) -> Vec<IdentitySecret> {
    (0..count)
        .map(|_| IdentitySecret::from_bytes(&dice.bytes()))
        .collect()
}

fn genesis(
    mix: &Mix,
    quorum: u16,
    group_key: ThresholdKey,
    members: Vec<Member>,
    accounts: &[IdentitySecret],
) -> Genesis {
    let allocations = accounts.iter().map(|account| Allocation {
        owner: account.public(),
        sub: 0,
        asset: ASSET,
        amount: BALANCE,
    });
    let ledger = mix.execution == Execution::Ledger;
    Genesis {
        name: "simulation".to_owned(),
        shard: ShardId(0),
        epoch: quorate_types::Epoch(0),
        quorum,
        group_key,
        members,
        rule: mix.rule,
        execution: mix.execution,
        transfer_fee: FEE,
        fee_asset: ASSET,
        assets: vec![GenesisAsset {
            id: ASSET,
            decimals: 2,
        }],
        allocations: if ledger {
            allocations.collect()
        } else {
            Vec::new()
        },
    }
}

fn validator_options(options: &SimOptions, mix: &Mix) -> Options {
    #[cfg_attr(
        not(feature = "mutants"),
        expect(unused_mut, reason = "set by the mutants")
    )]
    let mut made = Options::new(mix.rule);
    #[cfg(feature = "mutants")]
    {
        made.mutation = options.mutation;
    }
    let _ = options;
    made
}

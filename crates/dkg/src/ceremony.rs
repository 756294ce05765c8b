//! A verified definition and everything that follows from it.

use quorate_crypto::pvss::{Parameters, Recipients};
use quorate_types::{
    Blake3, CeremonyId, DomainTag, Encode, IdentityKey, ThresholdKey, TranscriptHash,
    ValidatorIndex,
};

use crate::definition::{Definition, DefinitionError, Purpose, faults, least_quorum};

/// The lane of a dealing that makes the key: threshold q.
pub const HIGH: usize = 0;
/// The lane that makes the coins of agreement, in a ceremony for a fresh key: threshold f + 1.
pub const LOW: usize = 1;

/// A ceremony: its definition, checked, with parsed keys and derived numbers.
///
/// n = 4..=128 members of whom f = floor((n-1)/3) may lie; q of them will sign, n-f <= q <= n.
#[derive(Clone, Debug)]
pub struct Ceremony {
    definition: Definition,
    id: CeremonyId,
    size: u16,
    parameters: Parameters,
    recipients: Recipients,
}

impl Ceremony {
    /// Verifies a definition and derives the rest.
    ///
    /// # Errors
    /// [`DefinitionError`].
    pub fn new(definition: Definition) -> Result<Self, DefinitionError> {
        definition.verify()?;
        let size = u16::try_from(definition.members.len()).expect("checked by Definition::verify");
        let keys: Vec<_> = definition
            .members
            .iter()
            .map(|member| member.encryption_key)
            .collect();
        let recipients = Recipients::parse(&keys)
            .expect("Definition::verify checked every key, and that none comes twice");
        let high = definition.quorum;
        let thresholds: &[u16] = match definition.purpose {
            Purpose::Genesis => &[high, faults(size) + 1],
            Purpose::Reshare { .. } => &[high],
        };
        let parameters = Parameters::new(size, thresholds)
            .expect("sizes and quorums that Definition::verify accepts are in range");
        Ok(Self {
            id: definition.ceremony_id(),
            size,
            parameters,
            recipients,
            definition,
        })
    }

    /// The ceremony's id.
    #[must_use]
    pub const fn id(&self) -> CeremonyId {
        self.id
    }
    /// The definition.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }
    /// n: how many will hold a share.
    #[must_use]
    pub const fn size(&self) -> u16 {
        self.size
    }
    /// f = floor((n-1)/3).
    #[must_use]
    pub const fn faults(&self) -> u16 {
        faults(self.size)
    }
    /// q: how many will sign.
    #[must_use]
    pub const fn quorum(&self) -> u16 {
        self.definition.quorum
    }
    /// n - f: how many members a step of agreement waits for, and the fewest dealings that make a fresh key.
    #[must_use]
    pub const fn agreement_quorum(&self) -> u16 {
        least_quorum(self.size)
    }
    /// The least number of members any two sets of which share an honest one: ceil((n+f+1)/2).
    #[must_use]
    pub const fn echo_quorum(&self) -> u16 {
        (self.size + self.faults() + 1).div_ceil(2)
    }
    /// Lanes and thresholds of this ceremony's dealings.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }
    /// The members' encryption keys, parsed.
    #[must_use]
    pub const fn recipients(&self) -> &Recipients {
        &self.recipients
    }
    /// All members' indices in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = ValidatorIndex> + use<> {
        (0..self.size).map(ValidatorIndex)
    }
    /// A member's identity.
    #[must_use]
    pub fn identity_of(&self, index: ValidatorIndex) -> Option<&IdentityKey> {
        let member = self.definition.members.get(index.position())?;
        Some(&member.identity)
    }
    /// The index of the member with this identity.
    #[must_use]
    pub fn index_of(&self, identity: &IdentityKey) -> Option<ValidatorIndex> {
        self.indices()
            .find(|index| self.identity_of(*index) == Some(identity))
    }
    /// Whether shares of an existing key are made anew.
    #[must_use]
    pub const fn is_reshare(&self) -> bool {
        matches!(self.definition.purpose, Purpose::Reshare { .. })
    }

    /// How many dealers there are: the members, or the previous members in a resharing.
    #[must_use]
    pub fn dealers(&self) -> u16 {
        match &self.definition.purpose {
            Purpose::Genesis => self.size,
            Purpose::Reshare { previous } => {
                u16::try_from(previous.members.len()).expect("checked by Definition::verify")
            }
        }
    }
    /// A dealer's identity.
    #[must_use]
    pub fn identity_of_dealer(&self, dealer: ValidatorIndex) -> Option<&IdentityKey> {
        match &self.definition.purpose {
            Purpose::Genesis => self.identity_of(dealer),
            Purpose::Reshare { previous } => {
                let member = previous.members.get(dealer.position())?;
                Some(&member.identity)
            }
        }
    }
    /// The index of the dealer with this identity.
    #[must_use]
    pub fn dealer_of(&self, identity: &IdentityKey) -> Option<ValidatorIndex> {
        (0..self.dealers())
            .map(ValidatorIndex)
            .find(|dealer| self.identity_of_dealer(*dealer) == Some(identity))
    }
    /// The fewest dealings that make the key: n - f of the members, or exactly the previous quorum in a resharing.
    #[must_use]
    pub const fn dealings_needed(&self) -> u16 {
        match &self.definition.purpose {
            Purpose::Genesis => self.agreement_quorum(),
            Purpose::Reshare { previous } => previous.quorum,
        }
    }

    /// What every challenge of a dealer's proofs is bound to: ceremony, index and identity. An index that names no dealer
    /// has a context that no dealing is accepted in.
    #[must_use]
    pub fn context(&self, dealer: ValidatorIndex) -> [u8; 32] {
        let hash = Blake3::new(DomainTag::DealingContext)
            .chain(self.id)
            .chain(dealer.0.to_le_bytes());
        match self.identity_of_dealer(dealer) {
            Some(identity) => hash.chain(identity).finish(),
            None => hash.finish(),
        }
    }
    /// What a dealing has to commit to in each lane as its secret: nothing in particular for a fresh key, the dealer's
    /// previous share key in a resharing.
    #[must_use]
    pub fn expected(&self, dealer: ValidatorIndex) -> Vec<Option<ThresholdKey>> {
        match &self.definition.purpose {
            Purpose::Genesis => vec![None; self.parameters.thresholds().len()],
            Purpose::Reshare { previous } => {
                let member = previous.members.get(dealer.position());
                vec![member.map(|member| member.share_key)]
            }
        }
    }

    /// What members sign with their new shares when they have them: the ceremony and its transcript, under one tag for
    /// fresh keys and another for a resharing.
    #[must_use]
    pub fn completion_message(&self, transcript: &TranscriptHash) -> Vec<u8> {
        let tag = if self.is_reshare() {
            DomainTag::DkgReady
        } else {
            DomainTag::DkgCompletion
        };
        let mut message = tag.bytes().to_vec();
        self.id.encode(&mut message);
        transcript.encode(&mut message);
        message
    }
}

//! Receipts, evidence and block references.

use quorate_types::{BlockId, BlockRef, Evidence, Height, Outcome, Receipt, Round, ValidatorIndex};

use super::{ConvertError, canonical, copied, encoded, fixed_bytes};
use crate::types::v1;

impl From<&Receipt> for v1::Receipt {
    fn from(receipt: &Receipt) -> Self {
        let outcome = match &receipt.outcome {
            Outcome::Applied { deltas } => {
                let deltas = deltas.iter().map(|delta| v1::Delta {
                    account_id: copied(delta.account),
                    asset: Some(delta.asset.0),
                    atoms: delta.change.to_string(),
                });
                v1::receipt::Outcome::Applied(v1::Applied {
                    deltas: deltas.collect(),
                })
            }
            Outcome::Rejected { code } => v1::receipt::Outcome::Rejected(v1::Rejected {
                code: u32::from(*code as u16),
                name: code.name().to_owned(),
                message: code.to_string(),
            }),
        };
        Self {
            canonical: encoded(receipt),
            transaction_id: copied(receipt.transaction),
            outcome: Some(outcome),
        }
    }
}

impl TryFrom<&v1::Receipt> for Receipt {
    type Error = ConvertError;

    fn try_from(message: &v1::Receipt) -> Result<Self, ConvertError> {
        canonical(&message.canonical, "receipt.canonical")
    }
}

impl From<&BlockRef> for v1::BlockRef {
    fn from(reference: &BlockRef) -> Self {
        Self {
            round: reference.round.0,
            author: Some(reference.author.0.into()),
            id: copied(reference.id),
        }
    }
}

impl TryFrom<&v1::BlockRef> for BlockRef {
    type Error = ConvertError;

    fn try_from(message: &v1::BlockRef) -> Result<Self, ConvertError> {
        Ok(Self {
            round: Round(message.round),
            author: validator(message.author, "author")?,
            id: BlockId(fixed_bytes(&message.id, "id")?),
        })
    }
}

impl From<&Evidence> for v1::Evidence {
    fn from(evidence: &Evidence) -> Self {
        use v1::evidence::Offence;
        let (author, offence) = match evidence {
            Evidence::Equivocation { first, second } => (
                first.author,
                Offence::Equivocation(v1::Equivocation {
                    first: Some(first.into()),
                    second: Some(second.into()),
                }),
            ),
            Evidence::BadCoinShare { author, round } => (
                *author,
                Offence::BadCoinShare(v1::BadCoinShare { round: round.0 }),
            ),
            Evidence::BadFinalityShare { author, height } => (
                *author,
                Offence::BadFinalityShare(v1::BadFinalityShare { height: height.0 }),
            ),
        };
        Self {
            validator: Some(author.0.into()),
            offence: Some(offence),
        }
    }
}

impl TryFrom<&v1::Evidence> for Evidence {
    type Error = ConvertError;

    fn try_from(message: &v1::Evidence) -> Result<Self, ConvertError> {
        use v1::evidence::Offence;
        let author = validator(message.validator, "validator")?;
        match &message.offence {
            None => Err(ConvertError::Missing { field: "offence" }),
            Some(Offence::Equivocation(twins)) => {
                let twin = |twin: &Option<v1::BlockRef>, field| match twin {
                    Some(twin) => BlockRef::try_from(twin),
                    None => Err(ConvertError::Missing { field }),
                };
                Ok(Self::Equivocation {
                    first: twin(&twins.first, "first")?,
                    second: twin(&twins.second, "second")?,
                })
            }
            Some(Offence::BadCoinShare(share)) => Ok(Self::BadCoinShare {
                author,
                round: Round(share.round),
            }),
            Some(Offence::BadFinalityShare(share)) => Ok(Self::BadFinalityShare {
                author,
                height: Height(share.height),
            }),
        }
    }
}

fn validator(index: Option<u32>, field: &'static str) -> Result<ValidatorIndex, ConvertError> {
    let index = index.ok_or(ConvertError::Missing { field })?;
    let limit = u64::from(quorate_types::limits::COMMITTEE_MAX) - 1;
    u16::try_from(index)
        .ok()
        .filter(|index| u64::from(*index) <= limit)
        .map(ValidatorIndex)
        .ok_or(ConvertError::Number {
            field,
            found: index.into(),
            limit,
        })
}

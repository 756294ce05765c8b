//! Opaque tokens: where a list or a stream goes on.
//!
//! A token is bound to chain, shard, call and parameters, but not authenticated: a forged one reads nothing that an
//! honest request could not.

use bytes::Bytes;
use quorate_rpc::Fault;
use quorate_types::{ChainId, CodecError, Decode, Encode, Epoch, Height, Reader, ShardId};

use super::source::Facts;

const VERSION: u8 = 1;

/// Page size if the client names none.
const PAGE_DEFAULT: u32 = 50;
/// Largest page: about 1 MiB of certificates.
const PAGE_MAX: u32 = 1_000;

/// The page size that a request gets (AIP-158).
pub(super) const fn page_size(requested: u32) -> u32 {
    match requested {
        0 => PAGE_DEFAULT,
        1..=PAGE_MAX => requested,
        _ => PAGE_MAX,
    }
}

/// Which call a page token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Paged {
    Certificates = 1,
    Evidence = 2,
}

/// Where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The first entry of the page.
    pub(super) next: u64,
    /// The last entry of the list, fixed when the first page was read.
    pub(super) end: u64,
}

/// The parameters that all pages of a list must share.
pub(super) type Parameters = [Option<u64>; 2];

impl Page {
    pub(super) fn to_token(self, facts: &Facts, call: Paged, parameters: &Parameters) -> Bytes {
        let mut token = prefix(facts, call, parameters);
        self.next.encode(&mut token);
        self.end.encode(&mut token);
        token.into()
    }

    pub(super) fn from_token(
        token: &[u8],
        facts: &Facts,
        call: Paged,
        parameters: &Parameters,
    ) -> Result<Self, Fault> {
        let rest = token.strip_prefix(prefix(facts, call, parameters).as_slice());
        let mut reader = Reader::new(rest.ok_or_else(Fault::bad_page_token)?);
        let mut page = || -> Result<Self, CodecError> {
            let (next, end) = (u64::decode(&mut reader)?, u64::decode(&mut reader)?);
            reader.clone().finish()?;
            Ok(Self { next, end })
        };
        page().map_err(|_| Fault::bad_page_token())
    }
}

fn prefix(facts: &Facts, call: Paged, parameters: &Parameters) -> Vec<u8> {
    let mut prefix = vec![VERSION, call as u8];
    facts.chain.encode(&mut prefix);
    facts.shard.encode(&mut prefix);
    for parameter in parameters {
        prefix.push(u8::from(parameter.is_some()));
        parameter.unwrap_or(0).encode(&mut prefix);
    }
    prefix
}

/// Where a subscription goes on: the next height due. The epoch is that of the event before; it serves people who look
/// at tokens and later versions that change committees.
pub(super) fn resume_token(facts: &Facts, epoch: Epoch, next: Height) -> Bytes {
    let mut token = vec![VERSION];
    facts.chain.encode(&mut token);
    facts.shard.encode(&mut token);
    epoch.encode(&mut token);
    next.encode(&mut token);
    token.into()
}

/// The next height due after a token.
pub(super) fn resume_height(token: &[u8], facts: &Facts) -> Result<Height, Fault> {
    let mut reader = Reader::new(token);
    let mut fields = || -> Result<(u8, ChainId, ShardId, Epoch, Height), CodecError> {
        let fields = (
            Decode::decode(&mut reader)?,
            Decode::decode(&mut reader)?,
            Decode::decode(&mut reader)?,
            Decode::decode(&mut reader)?,
            Decode::decode(&mut reader)?,
        );
        reader.clone().finish()?;
        Ok(fields)
    };
    match fields() {
        Ok((VERSION, chain, shard, _, next))
            if chain == facts.chain && shard == facts.shard && next > Height(0) =>
        {
            Ok(next)
        }
        _ => Err(Fault::bad_resume_token()),
    }
}

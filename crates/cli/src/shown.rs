//! A certificate as JSON that any BLS library can work with (docs/light-clients.md).

use anyhow::{Context, anyhow, ensure};
use quorate_light::SIGNATURE_DST;
use quorate_types::{
    BlockId, Certificate, ChainId, CommitteeHash, Epoch, Hash32, Header, HeaderHash, Height, Round,
    ShardId, Signature, ThresholdKey, ValidatorIndex,
};
use serde::{Deserialize, Serialize};

/// Byte strings are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownCertificate {
    /// The key that the signature verifies under.
    pub(crate) group_public_key: String,
    /// Domain separation tag of the ciphersuite.
    pub(crate) dst: String,
    /// Exactly the message given to BLS.
    pub(crate) signing_bytes: String,
    /// The signature.
    pub(crate) signature: String,
    /// What the message is the hash of.
    pub(crate) header: ShownHeader,
}

/// The fields of a header, in the order of its encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownHeader {
    version: u16,
    chain: String,
    shard: u32,
    epoch: u64,
    pub(crate) height: u64,
    previous: String,
    leader_round: u64,
    leader_author: u16,
    leader: String,
    timestamp_ms: u64,
    transactions_total: u64,
    blocks_root: String,
    receipts_root: String,
    outbox_root: String,
    state_root: String,
    next_committee: String,
}

impl ShownCertificate {
    /// Shows a certificate with the key it was verified under.
    pub(crate) fn new(certificate: &Certificate, group_key: &ThresholdKey) -> Self {
        Self {
            group_public_key: group_key.to_hex(),
            dst: String::from_utf8_lossy(SIGNATURE_DST).into_owned(),
            signing_bytes: hex::encode(certificate.header.hash().signing_bytes()),
            signature: certificate.signature.to_hex(),
            header: ShownHeader::new(&certificate.header),
        }
    }

    /// The certificate, if every field is well-formed. Nothing of it is verified.
    pub(crate) fn to_certificate(&self) -> anyhow::Result<Certificate> {
        ensure!(
            hex::decode(&self.signing_bytes).is_ok(),
            "`signing_bytes` must be hexadecimal digits"
        );
        let signature = Signature::from_hex(&self.signature);
        Ok(Certificate {
            header: self.header.to_header()?,
            signature: signature.context("`signature` must be 96 hexadecimal digits")?,
        })
    }

    /// Whether what is stated besides the certificate agrees with it. Its signature is not verified.
    pub(crate) fn agrees_with(&self, certificate: &Certificate) -> anyhow::Result<()> {
        ensure!(
            self.header.version == Header::VERSION,
            "the header has version {}, this program knows {}",
            self.header.version,
            Header::VERSION
        );
        ensure!(
            self.dst.as_bytes() == SIGNATURE_DST,
            "`dst` is another ciphersuite than {}",
            String::from_utf8_lossy(SIGNATURE_DST)
        );
        ensure!(
            self.signing_bytes.to_lowercase()
                == hex::encode(certificate.header.hash().signing_bytes()),
            "`signing_bytes` is not the message that belongs to `header`"
        );
        Ok(())
    }
}

impl ShownHeader {
    fn new(header: &Header) -> Self {
        Self {
            version: Header::VERSION,
            chain: header.chain.to_hex(),
            shard: header.shard.0,
            epoch: header.epoch.0,
            height: header.height.0,
            previous: header.previous.to_hex(),
            leader_round: header.leader_round.0,
            leader_author: header.leader_author.0,
            leader: header.leader.to_hex(),
            timestamp_ms: header.timestamp_ms,
            transactions_total: header.transactions_total,
            blocks_root: header.blocks_root.to_hex(),
            receipts_root: header.receipts_root.to_hex(),
            outbox_root: header.outbox_root.to_hex(),
            state_root: header.state_root.to_hex(),
            next_committee: header.next_committee.to_hex(),
        }
    }

    fn to_header(&self) -> anyhow::Result<Header> {
        let field = |name: &str| anyhow!("`header.{name}` must be 64 hexadecimal digits");
        let root = |name: &str, text: &str| Hash32::from_hex(text).ok_or_else(|| field(name));
        Ok(Header {
            chain: ChainId::from_hex(&self.chain).ok_or_else(|| field("chain"))?,
            shard: ShardId(self.shard),
            epoch: Epoch(self.epoch),
            height: Height(self.height),
            previous: HeaderHash::from_hex(&self.previous).ok_or_else(|| field("previous"))?,
            leader_round: Round(self.leader_round),
            leader_author: ValidatorIndex(self.leader_author),
            leader: BlockId::from_hex(&self.leader).ok_or_else(|| field("leader"))?,
            timestamp_ms: self.timestamp_ms,
            transactions_total: self.transactions_total,
            blocks_root: root("blocks_root", &self.blocks_root)?,
            receipts_root: root("receipts_root", &self.receipts_root)?,
            outbox_root: root("outbox_root", &self.outbox_root)?,
            state_root: root("state_root", &self.state_root)?,
            next_committee: CommitteeHash::from_hex(&self.next_committee)
                .ok_or_else(|| field("next_committee"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_sample_comes_back_as_it_was() {
        let text = include_str!("../../../docs/examples/certificate.json");
        let sample: ShownCertificate = serde_json::from_str(text).unwrap();
        let certificate = sample.to_certificate().unwrap();
        sample.agrees_with(&certificate).unwrap();
        let group_key = ThresholdKey::from_hex(&sample.group_public_key).unwrap();
        let again = ShownCertificate::new(&certificate, &group_key);
        assert_eq!(again, sample);
        assert_eq!(
            serde_json::to_string_pretty(&again).unwrap(),
            text.trim_end()
        );
    }
}

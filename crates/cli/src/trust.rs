//! Whose word is taken for the group key.

use anyhow::anyhow;
use quorate_light::{LightError, TrustedKey, VerifiedHeader};
use quorate_node::genesis_file;
use quorate_rpc::common::v1::ServiceInfo;
use quorate_rpc::types::v1::Certificate;
use quorate_types::{ChainId, Epoch, Genesis, ShardId, ThresholdKey};

use crate::args::TrustArgs;
use crate::client::{Client, array};
use crate::failure::{Failure, Kind, OrFail};

/// A key to verify with, and where it came from.
pub(crate) struct Trust {
    pub(crate) key: TrustedKey,
    pub(crate) group_key: ThresholdKey,
    /// For people: whose word was taken.
    pub(crate) source: String,
}

impl Trust {
    /// The genesis file's key if one was given, else the key that the endpoint states.
    pub(crate) async fn establish(args: &TrustArgs, client: &Client) -> Result<Self, Failure> {
        match &args.genesis {
            Some(path) => {
                let genesis = genesis_file::read(path).or_fail(Kind::File)?;
                Self::from_genesis(&genesis, format!("the genesis file {}", path.display()))
            }
            None => Self::from_info(&client.info().await?),
        }
    }

    pub(crate) fn from_genesis(genesis: &Genesis, source: String) -> Result<Self, Failure> {
        let chain = genesis.chain_id();
        Self::new(
            chain,
            genesis.shard,
            genesis.epoch,
            genesis.group_key,
            source,
        )
    }

    fn from_info(info: &ServiceInfo) -> Result<Self, Failure> {
        let chain = array(&info.chain_id, "chain id").or_fail(Kind::Endpoint)?;
        let key = array(&info.group_public_key, "group key").or_fail(Kind::Endpoint)?;
        Self::new(
            ChainId(chain),
            ShardId(info.shard.unwrap_or_default()),
            Epoch(info.epoch.unwrap_or_default()),
            ThresholdKey(key),
            "the endpoint itself (pin the key with --genesis FILE)".into(),
        )
    }

    pub(crate) fn new(
        chain: ChainId,
        shard: ShardId,
        epoch: Epoch,
        group_key: ThresholdKey,
        source: String,
    ) -> Result<Self, Failure> {
        let key = TrustedKey::new(chain, shard, epoch, &group_key).or_fail(Kind::Unverified)?;
        Ok(Self {
            key,
            group_key,
            source,
        })
    }

    /// Verifies the certificate of an answer.
    pub(crate) fn verify(
        &self,
        certificate: Option<&Certificate>,
    ) -> Result<VerifiedHeader, Failure> {
        let certificate = certificate.ok_or_else(|| {
            let error =
                anyhow!("the answer has no certificate: nothing is certified yet, try again later");
            Failure::new(Kind::Unverified, error)
        })?;
        let verified = self.key.verify_certificate(&certificate.canonical);
        verified.map_err(|error| unverified("certificate", error))
    }
}

/// The failure for something that does not verify.
pub(crate) fn unverified(what: &str, error: LightError) -> Failure {
    let error = anyhow!(error).context(format!(
        "the {what} does not verify: do not trust this endpoint"
    ));
    Failure::new(Kind::Unverified, error)
}

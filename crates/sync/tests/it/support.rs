//! A chain of four members whose keys nobody uses.

use quorate_types::{
    AssetId, Epoch, Execution, Genesis, IdentityKey, Member, RuleParameters, ShardId, ThresholdKey,
};

/// A chain without assets that executes nothing.
pub(crate) fn genesis() -> Genesis {
    let members = (1..=4).map(|seed| Member {
        identity: IdentityKey([seed; 32]),
        share_key: ThresholdKey([seed; 96]),
    });
    Genesis {
        name: "test".into(),
        shard: ShardId(0),
        epoch: Epoch(0),
        quorum: 3,
        group_key: ThresholdKey([9; 96]),
        members: members.collect(),
        rule: RuleParameters::default(),
        execution: Execution::Opaque,
        transfer_fee: 0,
        fee_asset: AssetId(0),
        assets: Vec::new(),
        allocations: Vec::new(),
    }
}

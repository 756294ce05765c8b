//! `quorate status`.

use quorate_rpc::admin::v1::{ConnectionState, GetStatusRequest, GetStatusResponse};
use quorate_rpc::common::v1::ServiceInfo;
use serde::Serialize;

use crate::args::StatusArgs;
use crate::client::{Client, DEADLINE, within};
use crate::failure::Failure;
use crate::output::{self, grouped};

#[derive(Serialize)]
struct ShownInfo {
    chain_id: String,
    chain_name: String,
    shard: u32,
    epoch: u64,
    head_height: u64,
    lowest_available_height: u64,
    group_public_key: String,
    build_version: String,
    executes: bool,
}

#[derive(Serialize)]
struct ShownStatus {
    info: ShownInfo,
    validator: u32,
    recovering: bool,
    own_round: u64,
    highest_round: u64,
    committed_height: u64,
    executed_height: u64,
    certified_height: u64,
    transactions_total: u64,
    pool_transactions: u64,
    pool_bytes: u64,
    log_bytes: u64,
    tables_bytes: u64,
    uptime_seconds: u64,
    peers: Vec<ShownPeer>,
}

#[derive(Serialize)]
struct ShownPeer {
    validator: u32,
    address: String,
    state: &'static str,
    highest_round: u64,
    rounds_behind: u64,
    silent_ms: Option<u64>,
    last_error: String,
}

pub(crate) async fn run(args: StatusArgs, endpoint: &str, json: bool) -> Result<(), Failure> {
    let Some(admin) = args.admin else {
        let info = ShownInfo::new(&Client::connect(endpoint).await?.info().await?);
        output::print(json, &info, info_text)?;
        return Ok(());
    };
    let client = Client::connect(&admin).await?;
    let answer = client
        .admin()
        .get_status(within(GetStatusRequest {}, DEADLINE))
        .await;
    let status = answer
        .map_err(|status| client.refused(&status))?
        .into_inner();
    let info = status
        .info
        .as_ref()
        .ok_or_else(|| client.incomplete("service info"))?;
    output::print(
        json,
        &ShownStatus::new(&status, ShownInfo::new(info)),
        status_text,
    )?;
    Ok(())
}

impl ShownInfo {
    fn new(info: &ServiceInfo) -> Self {
        Self {
            chain_id: hex::encode(&info.chain_id),
            chain_name: info.chain_name.clone(),
            shard: info.shard.unwrap_or_default(),
            epoch: info.epoch.unwrap_or_default(),
            head_height: info.head_height.unwrap_or_default(),
            lowest_available_height: info.lowest_available_height.unwrap_or_default(),
            group_public_key: hex::encode(&info.group_public_key),
            build_version: info.build_version.clone(),
            executes: info.executes.unwrap_or_default(),
        }
    }
}

impl ShownStatus {
    fn new(status: &GetStatusResponse, info: ShownInfo) -> Self {
        let store = status.store.unwrap_or_default();
        let peers = status.peers.iter().map(|peer| ShownPeer {
            validator: peer.validator.unwrap_or_default(),
            address: peer.address.clone(),
            state: match peer.state() {
                ConnectionState::Connected => "connected",
                ConnectionState::Connecting => "connecting",
                ConnectionState::Disconnected => "disconnected",
                ConnectionState::Unspecified => "unknown",
            },
            highest_round: peer.highest_round.unwrap_or_default(),
            rounds_behind: peer.rounds_behind.unwrap_or_default(),
            silent_ms: peer.silent_ms,
            last_error: peer.last_error.clone(),
        });
        Self {
            info,
            validator: status.validator.unwrap_or_default(),
            recovering: status.recovering.unwrap_or_default(),
            own_round: status.own_round.unwrap_or_default(),
            highest_round: status.highest_round.unwrap_or_default(),
            committed_height: status.committed_height.unwrap_or_default(),
            executed_height: status.executed_height.unwrap_or_default(),
            certified_height: status.certified_height.unwrap_or_default(),
            transactions_total: status.transactions_total.unwrap_or_default(),
            pool_transactions: status.pool_transactions.unwrap_or_default(),
            pool_bytes: status.pool_bytes.unwrap_or_default(),
            log_bytes: store.log_bytes.unwrap_or_default(),
            tables_bytes: store.tables_bytes.unwrap_or_default(),
            uptime_seconds: status.uptime_seconds.unwrap_or_default(),
            peers: peers.collect(),
        }
    }
}

fn info_text(info: &ShownInfo) -> String {
    output::list([
        ("chain", format!("{} ({})", info.chain_id, info.chain_name)),
        ("shard, epoch", format!("{}, {}", info.shard, info.epoch)),
        ("certified", format!("height {}", grouped(info.head_height))),
        (
            "available",
            format!("from height {}", grouped(info.lowest_available_height)),
        ),
        (
            "executes",
            if info.executes {
                "transactions"
            } else {
                "nothing: opaque payloads"
            }
            .into(),
        ),
        ("group key", info.group_public_key.clone()),
        ("program", info.build_version.clone()),
    ])
}

fn status_text(status: &ShownStatus) -> String {
    let state = if status.recovering {
        "catching up"
    } else {
        "in step"
    };
    let mut text = info_text(&status.info);
    text.push_str(&output::list([
        (
            "validator",
            format!(
                "{}, {state}, up for {} s",
                status.validator,
                grouped(status.uptime_seconds)
            ),
        ),
        (
            "round",
            format!(
                "{} of {}",
                grouped(status.own_round),
                grouped(status.highest_round)
            ),
        ),
        (
            "heights",
            format!(
                "committed {}, executed {}, certified {}",
                grouped(status.committed_height),
                grouped(status.executed_height),
                grouped(status.certified_height)
            ),
        ),
        (
            "transactions",
            format!(
                "{} ordered, {} waiting ({} bytes)",
                grouped(status.transactions_total),
                grouped(status.pool_transactions),
                grouped(status.pool_bytes)
            ),
        ),
        (
            "disk",
            format!(
                "log {} bytes, tables {} bytes",
                grouped(status.log_bytes),
                grouped(status.tables_bytes)
            ),
        ),
    ]));
    let rows = status.peers.iter().map(|peer| {
        [
            peer.validator.to_string(),
            peer.address.clone(),
            peer.state.to_owned(),
            grouped(peer.highest_round),
            grouped(peer.rounds_behind),
            peer.silent_ms
                .map_or_else(|| "never heard".into(), |silent| format!("{silent} ms")),
            output::short_cause(&peer.last_error),
        ]
    });
    let head = [
        "peer",
        "address",
        "state",
        "round",
        "behind",
        "silent for",
        "last error",
    ];
    text + &output::table(head, rows)
}

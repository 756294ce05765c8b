//! After the storm: every acknowledged transfer and the whole supply, from certificates alone.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use quorate_rpc::admin::v1::ListEvidenceRequest;
use quorate_rpc::ledger::v1::ListCertificatesRequest;
use quorate_types::{Certificate, Decode, HeaderHash, Height};
use serde::Serialize;
use tokio::time::Instant;

use super::tellers::{Acknowledged, Bank, judge, outcome_of};
use crate::client::{Client, DEADLINE, within};
use crate::devnet::{ASSET, Accounts, Committee, FUNDS, Network, Notes};
use crate::failure::{Failure, Kind, OrFail};
use crate::trust::unverified;

/// Most certificates in one answer.
const PAGE: u32 = 1_000;
/// How often to look whether all have come up.
const POLL: Duration = Duration::from_millis(100);

/// What was checked.
#[derive(Serialize)]
pub(super) struct Audited {
    /// Acknowledged transfers that are not there any more.
    pub(super) lost: u64,
    /// Heights at which validators have different headers, or a header that does not follow the one before.
    pub(super) disagreements: u64,
    /// All validators have the same headers up to here.
    pub(super) height: u64,
    /// Headers that were compared on all validators, each with the hash of the one before.
    pub(super) headers: u64,
    /// Acknowledged transfers whose receipts were shown again, under the same header.
    pub(super) receipts: u64,
    /// Balances that were proved, and are what the acknowledged transfers make them.
    pub(super) balances: u64,
    pub(super) supply: String,
    pub(super) fees: String,
}

/// Everything that can be checked, or the first thing that is wrong.
pub(super) async fn run(
    network: &Network,
    bank: &Bank,
    committee: &Committee,
    acknowledged: &[Acknowledged],
    patience: Duration,
    notes: &Notes,
) -> Result<Audited, Failure> {
    let mut clients = Vec::new();
    for endpoint in &bank.endpoints {
        clients.push(Client::connect(endpoint).await?);
    }
    let newest = acknowledged.iter().map(|transfer| transfer.height).max();
    let newest = newest.unwrap_or(Height(1));
    notes.keep(&format!("waiting for all validators at height {newest}"));
    let common = wait_for(&clients, newest, patience).await?;
    require_no_evidence(committee).await?;

    // First, since validators keep the state of recent heights only.
    let sums = check_balances(network, bank, &clients, common, acknowledged).await?;
    notes.keep(&format!("comparing {common} headers on all validators"));
    let headers = compare_headers(bank, &clients, common, notes).await?;
    notes.keep(&format!("asking for {} receipts again", acknowledged.len()));
    let (mut receipts, mut lost) = (0, 0);
    for (index, transfer) in acknowledged.iter().enumerate() {
        let client = &clients[index % clients.len()];
        let outcome = outcome_of(client, transfer.id).await;
        let shown = judge(&bank.trust, outcome, transfer.id)?;
        let there = headers.known.get(&transfer.height) == Some(&transfer.header)
            && shown == Some((transfer.height, transfer.header));
        if there {
            receipts += 1;
        } else {
            lost += 1;
            notes.keep(&format!(
                "LOST: transfer {} was acknowledged at height {} under header {}",
                transfer.id, transfer.height, transfer.header
            ));
        }
    }
    Ok(Audited {
        lost,
        disagreements: headers.disagreements,
        height: common.0,
        headers: headers.known.len() as u64,
        receipts,
        balances: network.accounts.len() as u64,
        supply: sums.0.to_string(),
        fees: sums.1.to_string(),
    })
}

/// Waits until all have certified a height; returns the highest that all have.
async fn wait_for(
    clients: &[Client],
    height: Height,
    patience: Duration,
) -> Result<Height, Failure> {
    let end = Instant::now() + patience;
    loop {
        let mut common = u64::MAX;
        for client in clients {
            // One that is still reading its log does not answer yet.
            let head = client.info().await.ok().and_then(|info| info.head_height);
            common = common.min(head.unwrap_or(0));
        }
        if common >= height.0 {
            return Ok(Height(common));
        }
        if Instant::now() > end {
            let error = anyhow!(
                "a validator stays at height {common} although nothing is wrong any more; another had certified {height}"
            );
            return Err(Failure::new(Kind::NothingCommitted, error));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Nobody lied, so nobody may have been convicted.
async fn require_no_evidence(committee: &Committee) -> Result<(), Failure> {
    for member in committee.members() {
        let client = Client::connect(&member.admin).await?;
        let answer = client
            .admin()
            .list_evidence(within(ListEvidenceRequest::default(), DEADLINE))
            .await;
        let evidence = answer
            .map_err(|status| client.refused(&status))?
            .into_inner()
            .evidence;
        if let Some(first) = evidence.first() {
            let error = anyhow!(
                "{} has evidence against an honest validator: {first:?}",
                member.name
            );
            return Err(Failure::new(Kind::Disagreement, error));
        }
    }
    Ok(())
}

/// Every balance, proved at one height, against what the acknowledged transfers make it. The supply and the fees.
async fn check_balances(
    network: &Network,
    bank: &Bank,
    clients: &[Client],
    height: Height,
    acknowledged: &[Acknowledged],
) -> Result<(u128, u128), Failure> {
    let mut expected = vec![FUNDS; network.accounts.len()];
    for transfer in acknowledged {
        expected[transfer.from] -= transfer.amount + bank.fee;
    }
    for transfer in acknowledged {
        expected[transfer.to] += transfer.amount;
    }
    let fees = bank.fee * acknowledged.len() as u128;
    let mut sum = 0;
    let client = clients.first().context("a committee has members")?;
    let mut accounts = Accounts::new(client, &bank.trust, height);
    for (index, expected) in expected.into_iter().enumerate() {
        let account = accounts.prove(&network.account(index)).await?;
        let found = account.free_of(ASSET);
        if found != expected {
            let error = anyhow!(
                "account {index} has {found} atoms at height {height}, but its acknowledged transfers leave {expected}"
            );
            return Err(Failure::new(Kind::Disagreement, error));
        }
        sum += found;
    }
    let supply = FUNDS * network.accounts.len() as u128;
    if sum + fees != supply {
        let error = anyhow!("balances of {sum} and fees of {fees} are not the supply of {supply}");
        return Err(Failure::new(Kind::Disagreement, error));
    }
    Ok((supply, fees))
}

/// The headers of the first validator, and how many of the others' differ.
struct Headers {
    known: BTreeMap<Height, HeaderHash>,
    disagreements: u64,
}

/// Compares all headers up to a height on all validators. Each must have the hash of the one before; the last one's
/// certificate is verified, which vouches for all before it.
async fn compare_headers(
    bank: &Bank,
    clients: &[Client],
    to: Height,
    notes: &Notes,
) -> Result<Headers, Failure> {
    let mut known: BTreeMap<Height, HeaderHash> = BTreeMap::new();
    let mut disagreements = 0;
    for (index, client) in clients.iter().enumerate() {
        let mut previous: Option<HeaderHash> = None;
        let mut next = Height(1);
        while next <= to {
            for bytes in page(client, next, to).await? {
                let certificate = Certificate::from_bytes(&bytes)
                    .with_context(|| format!("validator {index} at height {next}"))
                    .or_fail(Kind::Unverified)?;
                let header = &certificate.header;
                let hash = header.hash();
                let chained = previous.is_none_or(|previous| header.previous == previous);
                let same = *known.entry(next).or_insert(hash) == hash;
                if header.height != next || !chained || !same {
                    disagreements += 1;
                    notes.keep(&format!(
                        "DISAGREEMENT: validator {index} has another history at height {next}"
                    ));
                }
                if next == to {
                    let verified = bank.trust.key.verify_certificate(&bytes);
                    verified.map_err(|error| unverified("certificate", error))?;
                }
                previous = Some(hash);
                next = next.next();
            }
        }
    }
    Ok(Headers {
        known,
        disagreements,
    })
}

/// The next certificates of a validator, at least one.
async fn page(client: &Client, from: Height, to: Height) -> Result<Vec<bytes::Bytes>, Failure> {
    let request = ListCertificatesRequest {
        from_height: Some(from.0),
        to_height: Some(to.0),
        page_size: PAGE,
        page_token: bytes::Bytes::new(),
    };
    let answer = client
        .ledger()
        .list_certificates(within(request, DEADLINE))
        .await;
    let certificates = answer
        .map_err(|status| client.refused(&status))?
        .into_inner()
        .certificates;
    if certificates.is_empty() {
        return Err(client.incomplete("certificates"));
    }
    Ok(certificates
        .into_iter()
        .map(|certificate| certificate.canonical)
        .collect())
}

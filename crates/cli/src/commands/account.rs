//! `quorate account`.

use quorate_light::VerifiedHeader;
use quorate_types::{Account, AccountId, Height};
use serde::Serialize;

use crate::args::{AccountCommand, TrustArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output;
use crate::trust::{Trust, unverified};

#[derive(Serialize)]
struct Shown {
    account: String,
    exists: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<u32>,
    free: Vec<ShownBalance>,
    lanes: Vec<ShownLane>,
    height: u64,
    header_hash: String,
    verified: bool,
    trusted: String,
}

#[derive(Serialize)]
struct ShownBalance {
    asset: u32,
    atoms: String,
}

#[derive(Serialize)]
struct ShownLane {
    lane: u16,
    next_sequence: u64,
}

pub(crate) async fn run(
    command: AccountCommand,
    endpoint: &str,
    json: bool,
) -> Result<(), Failure> {
    match command {
        AccountCommand::Show { id, height, trust } => {
            show(id, height, &trust, endpoint, json).await
        }
        AccountCommand::Id { owner, sub } => {
            let id = AccountId::derive(&owner, sub).to_hex();
            output::print(json, &id, String::clone)?;
            Ok(())
        }
    }
}

/// Reads an account and verifies what the answer says of it; `None` if it is proved not to exist.
pub(crate) async fn read(
    client: &Client,
    trust: &Trust,
    id: &AccountId,
    height: Option<Height>,
) -> Result<(Option<Account>, VerifiedHeader), Failure> {
    let answer = client.account(id, height).await?;
    let header = trust.verify(answer.certificate.as_ref())?;
    if height.is_some_and(|height| height != header.header().height) {
        return Err(client.incomplete("height that was asked for"));
    }
    let proof = answer.proof.ok_or_else(|| client.incomplete("proof"))?;
    let failed = |error| unverified("account", error);
    let account = match answer.account {
        Some(account) => {
            let verified = header.verify_account(id, &account.canonical, &proof.canonical);
            Some(verified.map_err(failed)?)
        }
        None => {
            header
                .verify_absent_account(id, &proof.canonical)
                .map_err(failed)?;
            None
        }
    };
    Ok((account, header))
}

async fn show(
    id: AccountId,
    height: Option<Height>,
    trust: &TrustArgs,
    endpoint: &str,
    json: bool,
) -> Result<(), Failure> {
    let client = Client::connect(endpoint).await?;
    let trust = Trust::establish(trust, &client).await?;
    let (account, header) = read(&client, &trust, &id, height).await?;
    let balances = account.iter().flat_map(|account| &account.free);
    let lanes = account.iter().flat_map(|account| &account.lanes);
    let shown = Shown {
        account: id.to_hex(),
        exists: account.is_some(),
        owner: account.as_ref().map(|account| account.owner.to_hex()),
        sub: account.as_ref().map(|account| account.sub),
        free: balances
            .map(|(asset, atoms)| ShownBalance {
                asset: asset.0,
                atoms: atoms.to_string(),
            })
            .collect(),
        lanes: lanes
            .map(|(lane, next)| ShownLane {
                lane: *lane,
                next_sequence: *next,
            })
            .collect(),
        height: header.header().height.0,
        header_hash: header.hash().to_hex(),
        verified: true,
        trusted: trust.source.clone(),
    };
    output::print(json, &shown, text)?;
    Ok(())
}

fn text(shown: &Shown) -> String {
    let mut text = output::list([
        ("account", shown.account.clone()),
        (
            "owner",
            shown
                .owner
                .clone()
                .unwrap_or_else(|| "none: the account does not exist".into()),
        ),
        ("height", shown.height.to_string()),
        (
            "verified",
            format!("yes; the group key is that of {}", shown.trusted),
        ),
    ]);
    for balance in &shown.free {
        text.push_str(&format!(
            "asset {:<4} {} atoms\n",
            balance.asset, balance.atoms
        ));
    }
    for lane in &shown.lanes {
        text.push_str(&format!(
            "lane {:<5} next sequence {}\n",
            lane.lane, lane.next_sequence
        ));
    }
    text
}

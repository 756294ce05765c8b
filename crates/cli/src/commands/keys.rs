//! `quorate keys`.

use anyhow::anyhow;
use quorate_crypto::IdentitySecret;
use quorate_node::keystore::{KeyKind, Keystore, PublicKey};
use quorate_types::AccountId;
use serde::Serialize;

use crate::args::KeysCommand;
use crate::failure::{Failure, Kind, OrFail};
use crate::{output, random};

#[derive(Serialize)]
struct Shown {
    file: String,
    kind: &'static str,
    public_key: String,
    /// The identity's first account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

pub(crate) fn run(command: KeysCommand, json: bool) -> Result<(), Failure> {
    let (file, public) = match command {
        KeysCommand::New {
            out,
            passphrase,
            scrypt,
        } => {
            let file = out.join("identity.json");
            if !out.is_dir() {
                let out = out.display();
                let error =
                    anyhow!("there is no directory {out}: create it first (mkdir -p {out})");
                return Err(Failure::new(Kind::File, error));
            }
            let passphrase = passphrase.open().or_fail(Kind::File)?;
            let mut rng = random::generator();
            let secret = IdentitySecret::generate(&mut rng);
            let keystore = Keystore::seal_identity(&secret, &passphrase, scrypt.cost(), &mut rng);
            keystore.write_new(&file).or_fail(Kind::File)?;
            (file, keystore.public())
        }
        KeysCommand::Show { file } => {
            let public = Keystore::read(&file).or_fail(Kind::File)?.public();
            (file, public)
        }
    };
    let account = match public {
        PublicKey::Identity(key) => Some(AccountId::derive(&key, 0).to_hex()),
        PublicKey::Share(_) | PublicKey::Encryption(_) => None,
    };
    let shown = Shown {
        file: file.display().to_string(),
        kind: match public.kind() {
            KeyKind::Identity => "identity",
            KeyKind::Share => "share",
            KeyKind::Encryption => "encryption",
        },
        public_key: public.to_hex(),
        account,
    };
    output::print(json, &shown, |shown| {
        let mut text = output::list([
            ("file", shown.file.clone()),
            ("kind", shown.kind.to_owned()),
            ("public key", shown.public_key.clone()),
        ]);
        if let Some(account) = &shown.account {
            text.push_str(&format!("account     {account}\n"));
        }
        text
    })?;
    Ok(())
}

//! Definitions and their members as people and programs see them.

use std::path::Path;

use quorate_dkg::{Ceremony, Enrolment, Purpose};
use quorate_types::CeremonyId;
use serde::Serialize;

use crate::output;

/// Digits that are read aloud together.
const GROUP: usize = 4;
/// How many groups are read aloud: 128 bits.
const GROUPS: usize = 8;

/// A definition, verified.
#[derive(Serialize)]
pub(crate) struct ShownDefinition {
    file: String,
    ceremony_id: String,
    fingerprint: String,
    name: String,
    purpose: &'static str,
    attempt: u32,
    quorum: u16,
    faults: u16,
    organiser: String,
    members: Vec<ShownMember>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<ShownPrevious>,
}

/// An enrolment, verified.
#[derive(Serialize)]
pub(crate) struct ShownMember {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    name: String,
    identity: String,
    address: String,
    encryption_key: String,
}

#[derive(Serialize)]
struct ShownPrevious {
    transcript: String,
    group_key: String,
    quorum: u16,
    members: Vec<String>,
}

impl ShownMember {
    pub(crate) fn new(index: Option<usize>, enrolment: &Enrolment) -> Self {
        Self {
            index,
            name: enrolment.name.clone(),
            identity: enrolment.identity.to_hex(),
            address: enrolment.address.clone(),
            encryption_key: enrolment.encryption_key.to_hex(),
        }
    }

    pub(crate) fn text(&self) -> String {
        output::list([
            ("name", self.name.clone()),
            ("identity", self.identity.clone()),
            ("address", self.address.clone()),
            ("encryption key", self.encryption_key.clone()),
        ])
    }
}

impl ShownDefinition {
    pub(crate) fn new(file: &Path, ceremony: &Ceremony) -> Self {
        let definition = ceremony.definition();
        let members = definition.members.iter().enumerate();
        Self {
            file: file.display().to_string(),
            ceremony_id: ceremony.id().to_hex(),
            fingerprint: fingerprint(&ceremony.id()),
            name: definition.name.clone(),
            purpose: purpose(&definition.purpose),
            attempt: definition.attempt,
            quorum: ceremony.quorum(),
            faults: ceremony.faults(),
            organiser: definition.organiser.to_hex(),
            members: members
                .map(|(index, member)| ShownMember::new(Some(index), member))
                .collect(),
            previous: match &definition.purpose {
                Purpose::Genesis => None,
                Purpose::Reshare { previous } => Some(ShownPrevious {
                    transcript: previous.transcript.to_hex(),
                    group_key: previous.group_key.to_hex(),
                    quorum: previous.quorum,
                    members: previous
                        .members
                        .iter()
                        .map(|member| member.identity.to_hex())
                        .collect(),
                }),
            },
        }
    }

    pub(crate) fn text(&self) -> String {
        let rows = self.members.iter().map(|member| {
            [
                member.index.unwrap_or_default().to_string(),
                member.name.clone(),
                member.identity.clone(),
                member.address.clone(),
            ]
        });
        let mut text = output::table(["member", "name", "identity", "address"], rows);
        text.push('\n');
        text.push_str(&output::list([
            (
                "ceremony",
                format!("{} (attempt {})", self.name, self.attempt),
            ),
            ("purpose", self.purpose_text()),
            (
                "quorum",
                format!(
                    "{} of {} sign; up to {} may lie or stay away",
                    self.quorum,
                    self.members.len(),
                    self.faults
                ),
            ),
            ("organiser", self.organiser.clone()),
            ("id", self.ceremony_id.clone()),
            ("read aloud", self.fingerprint.clone()),
        ]));
        text
    }

    fn purpose_text(&self) -> String {
        self.previous.as_ref().map_or_else(
            || "a new key".into(),
            |previous| {
                format!(
                    "new shares of group key {}, dealt by {} of its {} members (transcript {})",
                    previous.group_key,
                    previous.quorum,
                    previous.members.len(),
                    previous.transcript
                )
            },
        )
    }
}

/// A word for what a ceremony is for.
pub(crate) const fn purpose(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Genesis => "genesis",
        Purpose::Reshare { .. } => "reshare",
    }
}

/// The beginning of an id as people read it to each other.
pub(crate) fn fingerprint(id: &CeremonyId) -> String {
    groups(&id.to_hex())
}

/// As [`fingerprint`], of an id in hexadecimal.
pub(crate) fn groups(digits: &str) -> String {
    let groups = digits.as_bytes().chunks(GROUP).take(GROUPS);
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_beginning_in_groups() {
        let mut id = [0xab; 32];
        id[1] = 0x01;
        assert_eq!(
            fingerprint(&CeremonyId(id)),
            "ab01 abab abab abab abab abab abab abab"
        );
    }
}

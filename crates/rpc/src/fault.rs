//! Errors of the API, once, for single calls and for the items of a batch.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use quorate_types::{CeremonyId, CodecError, Height, RejectCode, Round, TransactionId};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::common::v1::{ErrorReason, ItemFailure};
use crate::convert::ConvertError;

/// `ErrorInfo.domain` of all errors of this API.
pub const DOMAIN: &str = "quorate";

const REASON_PREFIX: &str = "ERROR_REASON_";

/// One error of the API: a code, a reason and details, not yet in protobuf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    code: Code,
    reason: ErrorReason,
    message: Cow<'static, str>,
    metadata: BTreeMap<&'static str, String>,
    field: Option<&'static str>,
    resource: Option<(&'static str, String)>,
    retry_after: Option<Duration>,
}

impl Fault {
    /// An error without details.
    #[must_use]
    pub fn new(code: Code, reason: ErrorReason, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            field: None,
            resource: None,
            retry_after: None,
        }))
    }

    /// Adds an entry to `ErrorInfo.metadata`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Display) -> Self {
        self.0.metadata.insert(key, value.to_string());
        self
    }

    /// Adds `RetryInfo`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Adds `ResourceInfo`.
    #[must_use]
    pub fn about(mut self, kind: &'static str, name: impl Display) -> Self {
        self.0.resource = Some((kind, name.to_string()));
        self
    }

    /// A field of the request is absent, of the wrong length or not canonical.
    #[must_use]
    pub fn invalid_field(field: &'static str, problem: impl Display) -> Self {
        let message = format!("{field}: {problem}");
        let mut fault = Self::new(Code::InvalidArgument, ErrorReason::InvalidField, message);
        fault.0.field = Some(field);
        fault
    }

    /// A list of the request is too long.
    #[must_use]
    pub fn too_many(field: &'static str, count: usize, limit: usize) -> Self {
        let message = format!("{field} has {count} entries, the limit is {limit}");
        let mut fault = Self::new(Code::InvalidArgument, ErrorReason::TooManyItems, message);
        fault.0.field = Some(field);
        fault.with("count", count).with("limit", limit)
    }

    /// A page token that this call did not hand out for these parameters.
    #[must_use]
    pub fn bad_page_token() -> Self {
        let message = "page_token: not a token of this call with these parameters";
        let mut fault = Self::new(Code::InvalidArgument, ErrorReason::BadPageToken, message);
        fault.0.field = Some("page_token");
        fault
    }

    /// A resume token of another chain or shard, or none at all.
    #[must_use]
    pub fn bad_resume_token() -> Self {
        let message = "resume_token: not a token of this chain and shard";
        let mut fault = Self::new(Code::InvalidArgument, ErrorReason::BadResumeToken, message);
        fault.0.field = Some("resume_token");
        fault
    }

    /// Admission refuses a transaction.
    #[must_use]
    pub fn rejected(code: RejectCode) -> Self {
        let message = format!("the transaction is refused: {code}");
        Self::new(code_of(code), ErrorReason::TransactionRejected, message)
            .with("code", code as u16)
            .with("name", code.name())
    }

    /// Bytes are no canonical transaction.
    #[must_use]
    pub fn bad_transaction(error: CodecError) -> Self {
        let mut fault = Self::rejected(RejectCode::BadEncoding);
        fault.0.message = format!("transaction: {error}").into();
        fault.0.field = Some("transaction");
        fault
    }

    /// No such transaction, or none whose receipt is still kept: those of heights below `lowest` are not.
    #[must_use]
    pub fn transaction_unknown(id: &TransactionId, lowest: Height) -> Self {
        let message = format!(
            "no transaction with this id is waiting or has a receipt at height {lowest} or above, where they are kept"
        );
        Self::new(Code::NotFound, ErrorReason::TransactionUnknown, message)
            .about("transaction", id)
            .with("lowest_receipts_height", lowest)
    }

    /// A height above the head.
    #[must_use]
    pub fn height_not_reached(height: Height, head: Height) -> Self {
        let message = format!("height {height} is above the head {head}");
        Self::new(Code::OutOfRange, ErrorReason::HeightNotReached, message).with("head", head)
    }

    /// A height that is no longer kept.
    #[must_use]
    pub fn height_pruned(lowest: Height) -> Self {
        let message = format!("the lowest height that is still kept is {lowest}");
        Self::new(Code::OutOfRange, ErrorReason::HeightPruned, message)
            .with("lowest_available_height", lowest)
    }

    /// A place in a stream that is no longer kept.
    #[must_use]
    pub fn cursor_pruned(lowest: Height) -> Self {
        let message = format!("the stream can start at height {lowest} or above");
        Self::new(Code::OutOfRange, ErrorReason::CursorPruned, message)
            .with("lowest_available_height", lowest)
    }

    /// Rounds whose blocks are no longer kept.
    #[must_use]
    pub fn round_pruned(lowest: Round) -> Self {
        let message = format!("the lowest round whose blocks are still kept is {lowest}");
        Self::new(Code::OutOfRange, ErrorReason::RoundPruned, message)
            .with("lowest_available_round", lowest.0)
    }

    /// Too much waits already.
    #[must_use]
    pub fn pool_full(retry: Duration) -> Self {
        let message = "as many transactions wait as may";
        Self::new(Code::ResourceExhausted, ErrorReason::PoolFull, message).retry_after(retry)
    }

    /// A subscriber does not read.
    #[must_use]
    pub fn slow_consumer() -> Self {
        let message = "the subscriber did not read for too long; resume with the last token";
        Self::new(Code::ResourceExhausted, ErrorReason::SlowConsumer, message)
            .retry_after(Duration::ZERO)
    }

    /// As many streams are open as may be.
    #[must_use]
    pub fn too_many_streams(limit: usize, retry: Duration) -> Self {
        let message = "as many streams are open as may be";
        Self::new(
            Code::ResourceExhausted,
            ErrorReason::TooManyStreams,
            message,
        )
        .with("limit", limit)
        .retry_after(retry)
    }

    /// As many bytes are under way, or were lately, as may be.
    #[must_use]
    pub fn too_much_traffic(retry: Duration) -> Self {
        let message = "as much is under way as may be";
        Self::new(
            Code::ResourceExhausted,
            ErrorReason::TooMuchTraffic,
            message,
        )
        .retry_after(retry)
    }

    /// The node is still recovering, catching up or too busy.
    #[must_use]
    pub fn not_ready(retry: Duration) -> Self {
        let message = "the node cannot answer yet";
        Self::new(Code::Unavailable, ErrorReason::NotReady, message).retry_after(retry)
    }

    /// The node goes down.
    #[must_use]
    pub fn shutting_down() -> Self {
        let message = "the node is going down; use another one";
        Self::new(Code::Unavailable, ErrorReason::ShuttingDown, message).retry_after(Duration::ZERO)
    }

    /// Accepted, but not as far as the call was to wait for.
    #[must_use]
    pub fn wait_timeout(id: &TransactionId) -> Self {
        let message = "the transaction was accepted; ask GetOutcome later";
        Self::new(Code::DeadlineExceeded, ErrorReason::WaitTimeout, message)
            .with("transaction_id", id)
    }

    /// A bug. `incident` is what the log calls it; nothing else is told.
    #[must_use]
    pub fn internal(incident: u64) -> Self {
        let message = "internal error";
        Self::new(Code::Internal, ErrorReason::Internal, message)
            .with("incident", format_args!("{incident:016x}"))
    }

    /// A peer runs another chain, shard or epoch.
    #[must_use]
    pub fn wrong_network() -> Self {
        let message = "another chain, shard or epoch";
        Self::new(Code::FailedPrecondition, ErrorReason::WrongNetwork, message)
    }

    /// No common version of the peer protocol.
    #[must_use]
    pub fn unsupported_version(min: u32, max: u32) -> Self {
        let message = format!("this node speaks versions {min} to {max}");
        Self::new(
            Code::FailedPrecondition,
            ErrorReason::UnsupportedVersion,
            message,
        )
        .with("version_min", min)
        .with("version_max", max)
    }

    /// A connection without a validator's identity.
    #[must_use]
    pub fn unauthenticated_peer() -> Self {
        let message = "the connection carries no validator's identity";
        Self::new(
            Code::Unauthenticated,
            ErrorReason::UnauthenticatedPeer,
            message,
        )
    }

    /// The chain keeps no accounts.
    #[must_use]
    pub fn no_ledger() -> Self {
        let message = "the chain orders opaque payloads and keeps no accounts";
        Self::new(Code::FailedPrecondition, ErrorReason::NoLedger, message)
    }

    /// A newer subscription of the same peer took this one's place.
    #[must_use]
    pub fn superseded() -> Self {
        let message = "a newer subscription took this one's place";
        Self::new(Code::Aborted, ErrorReason::Superseded, message)
    }

    /// A peer runs another ceremony than this one.
    #[must_use]
    pub fn wrong_ceremony(own: &CeremonyId) -> Self {
        let message = format!("another ceremony: this member runs {own}");
        Self::new(
            Code::FailedPrecondition,
            ErrorReason::WrongCeremony,
            message,
        )
        .with("ceremony_id", own)
    }

    /// What the ceremony makes is asked for before it is made.
    #[must_use]
    pub fn ceremony_incomplete() -> Self {
        let message = "the ceremony is not complete at this member";
        Self::new(
            Code::FailedPrecondition,
            ErrorReason::CeremonyIncomplete,
            message,
        )
    }

    /// A subscriber holds entries of an outbox that this member does not have.
    #[must_use]
    pub fn outbox_lost(length: u64) -> Self {
        let message = format!("the outbox has {length} entries: this member lost its log");
        Self::new(Code::OutOfRange, ErrorReason::OutboxLost, message).with("length", length)
    }

    /// No state to join at is kept at a height, or none at all.
    #[must_use]
    pub fn sync_point_gone() -> Self {
        let message = "no state to join at is kept at this height, or none is yet";
        Self::new(Code::NotFound, ErrorReason::SyncPointGone, message)
    }

    /// The gRPC code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> ErrorReason {
        self.0.reason
    }
}

/// The gRPC code of a refusal at admission: INVALID_ARGUMENT if no state could make the transaction valid.
const fn code_of(code: RejectCode) -> Code {
    match code {
        RejectCode::BadEncoding
        | RejectCode::BadSignature
        | RejectCode::WrongChain
        | RejectCode::WrongShard
        | RejectCode::AccessList
        | RejectCode::Overflow => Code::InvalidArgument,
        _ => Code::FailedPrecondition,
    }
}

/// The reason's name without its prefix, as `ErrorInfo.reason` has it.
fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix(REASON_PREFIX).unwrap_or(name)
}

impl From<Fault> for Status {
    fn from(Fault(fault): Fault) -> Self {
        let fault = *fault;
        let metadata: std::collections::HashMap<String, String> = fault
            .metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let reason = reason_name(fault.reason);
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
        if let Some(field) = fault.field {
            details.add_bad_request_violation(field, fault.message.as_ref());
        }
        if let Some((kind, name)) = fault.resource {
            details.set_resource_info(kind, name, "", fault.message.as_ref());
        }
        if fault.code == Code::FailedPrecondition {
            details.add_precondition_failure_violation(reason, DOMAIN, fault.message.as_ref());
        }
        if fault.retry_after.is_some() {
            details.set_retry_info(fault.retry_after);
        }
        Self::with_error_details(fault.code, fault.message, details)
    }
}

impl From<Fault> for ItemFailure {
    fn from(Fault(fault): Fault) -> Self {
        let fault = *fault;
        let milliseconds = |delay: Duration| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self {
            reason: fault.reason.into(),
            grpc_code: u32::try_from(i32::from(fault.code)).expect("gRPC codes are not negative"),
            reject_code: fault
                .metadata
                .get("code")
                .and_then(|code| code.parse().ok()),
            retry_after_ms: fault.retry_after.map(milliseconds),
            message: fault.message.into_owned(),
        }
    }
}

impl From<ConvertError> for Fault {
    fn from(error: ConvertError) -> Self {
        Self::invalid_field(error.field(), error)
    }
}

/// The reason in a status of this API; `None` for one that did not come from it.
#[must_use]
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let details = status.get_error_details();
    let info = details.error_info()?;
    if info.domain != DOMAIN {
        return None;
    }
    ErrorReason::from_str_name(&format!("{REASON_PREFIX}{}", info.reason))
}

/// An entry of a status' `ErrorInfo.metadata`.
#[must_use]
pub fn metadata_of(status: &Status, key: &str) -> Option<String> {
    let details = status.get_error_details();
    details.error_info()?.metadata.get(key).cloned()
}

/// When a status says to try again.
#[must_use]
pub fn retry_after_of(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info()?.retry_delay
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_survive_the_wire() {
        let status = Status::from(Fault::pool_full(Duration::from_millis(250)));
        let again = Status::from_error(Box::new(status));
        assert_eq!(again.code(), Code::ResourceExhausted);
        assert_eq!(reason_of(&again), Some(ErrorReason::PoolFull));
        assert_eq!(retry_after_of(&again), Some(Duration::from_millis(250)));

        let status = Status::from(Fault::too_many("transactions", 9, 8));
        assert_eq!(metadata_of(&status, "limit").as_deref(), Some("8"));
        let details = status.get_error_details();
        let violation = &details
            .bad_request()
            .expect("a field is at fault")
            .field_violations[0];
        assert_eq!(violation.field, "transactions");

        let status = Status::from(Fault::transaction_unknown(
            &TransactionId([7; 32]),
            Height(9),
        ));
        let details = status.get_error_details();
        let resource = details.resource_info().expect("something is missing");
        assert_eq!(resource.resource_name, "07".repeat(32));
        let lowest = metadata_of(&status, "lowest_receipts_height");
        assert_eq!(lowest.as_deref(), Some("9"));
        assert_eq!(reason_of(&Status::internal("of somebody else")), None);
    }

    #[test]
    fn every_reject_code_has_its_number_in_both_forms() {
        for code in RejectCode::ALL {
            let number = *code as u16;
            let item = ItemFailure::from(Fault::rejected(*code));
            assert_eq!(item.reject_code, Some(u32::from(number)));
            assert_eq!(item.reason(), ErrorReason::TransactionRejected);
            let status = Status::from(Fault::rejected(*code));
            assert_eq!(metadata_of(&status, "code"), Some(number.to_string()));
            assert_eq!(metadata_of(&status, "name").as_deref(), Some(code.name()));
            assert_eq!(item.grpc_code as i32, status.code() as i32);
            let precondition = status.get_error_details().precondition_failure().is_some();
            assert_eq!(precondition, status.code() == Code::FailedPrecondition);
        }
    }

    #[test]
    fn reasons_round_trip_by_name() {
        for number in 1..=27 {
            let reason = ErrorReason::try_from(number).expect("numbers are consecutive");
            let status = Status::from(Fault::new(Code::Internal, reason, ""));
            assert_eq!(reason_of(&status), Some(reason));
        }
    }
}

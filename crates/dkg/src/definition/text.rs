//! Names and addresses in signed records: short, and fit to be printed.

use quorate_types::limits::NAME_BYTES_MAX;
use quorate_types::{CodecError, Encode, Reader};

/// Longest address in bytes: a host name has at most 253, a port five.
pub(crate) const ADDRESS_BYTES_MAX: u32 = 260;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty or too long.
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes, not {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// A control character, which could forge what a terminal shows.
    #[error("a name has no control characters, this one has one at byte {offset}")]
    Control {
        /// Where it starts.
        offset: usize,
    },
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Too long.
    #[error("an address has at most {ADDRESS_BYTES_MAX} bytes, not {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// There is no colon, nothing or a bare colon before the last one, or something that cannot be printed.
    #[error("an address is `host:port`, with an IPv6 host in brackets")]
    Host,
    /// What follows the last colon is no port.
    #[error("a port is a number from 1 to 65535 without leading zeros")]
    Port,
}

/// Checks a name.
pub(crate) fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX as usize {
        return Err(NameError::Length { found: name.len() });
    }
    match name.char_indices().find(|(_, letter)| letter.is_control()) {
        Some((offset, _)) => Err(NameError::Control { offset }),
        None => Ok(()),
    }
}

/// Checks `host:port`. That the host exists is for whoever connects to find out.
pub(crate) fn check_address(address: &str) -> Result<(), AddressError> {
    if address.len() > ADDRESS_BYTES_MAX as usize {
        return Err(AddressError::Length {
            found: address.len(),
        });
    }
    let (host, port) = address.rsplit_once(':').ok_or(AddressError::Host)?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare_colon = bracketed.is_none() && host.contains(':');
    let name = bracketed.unwrap_or(host);
    if name.is_empty() || bare_colon || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AddressError::Host);
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    if !digits || port.parse::<u16>().is_err() {
        return Err(AddressError::Port);
    }
    Ok(())
}

/// Appends the text's length and bytes.
pub(crate) fn encode_text(text: &str, out: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).expect("names and addresses are bounded when checked");
    length.encode(out);
    out.extend_from_slice(text.as_bytes());
}

/// Reads text of at most `limit` bytes.
pub(crate) fn decode_text(
    reader: &mut Reader<'_>,
    field: &'static str,
    limit: u32,
) -> Result<String, CodecError> {
    let length = reader.count(field, limit)?;
    let bytes = reader.take(length)?;
    core::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| CodecError::NotCanonical { field })
}

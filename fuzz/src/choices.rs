//! Input bytes read as choices.

/// Reads choices off bytes. When they are used up, every further choice is the first one.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A choice among `count`, at most 256.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    pub(crate) fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes.fill_with(|| self.byte());
        u64::from_le_bytes(bytes)
    }

    /// Small most of the time, sometimes any, sometimes near the end of the range.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            0xfe => self.u64(),
            0xff => u64::MAX - u64::from(self.byte()),
            small => u64::from(small),
        }
    }

    /// The next bytes, their length first.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()) + 256 * usize::from(self.byte());
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Bytes that [`Choices::bytes`] gives back.
pub(crate) fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("samples are short");
    let mut out = length.to_le_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

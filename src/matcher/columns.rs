//! Many flows of one family, a column for each field.

use thiserror::Error;

/// Flows of one family, the fields of all flows side by side: the form in which flow logs and packet
/// buffers are scanned fastest. Addresses are numbers, `u32` for IPv4 and `u128` for IPv6.
///
/// All columns have the same length.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, A> {
    /// The far addresses.
    pub remote: &'a [A],
    /// The IP protocol numbers.
    pub protocol: &'a [u8],
    /// The destination ports of TCP and UDP, `type << 8 | code` of the family's ICMP, anything for
    /// other protocols.
    pub selector: &'a [u16],
    /// The source ports of TCP and UDP, anything for other protocols; `None` if they are not known.
    pub source_port: Option<&'a [u16]>,
    /// The near addresses; `None` if they are not known.
    pub local: Option<&'a [A]>,
}

/// Columns, or the place for decisions, are of different lengths.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the column `{column}` has {found} entries, but the one of far addresses has {expected}")]
pub struct ColumnsError {
    /// The column.
    pub column: &'static str,
    /// Its length.
    pub found: usize,
    /// The number of far addresses.
    pub expected: usize,
}

impl<'a, A> Columns<'a, A> {
    /// Flows whose source ports and near addresses are not known.
    pub fn new(remote: &'a [A], protocol: &'a [u8], selector: &'a [u16]) -> Self {
        Self { remote, protocol, selector, source_port: None, local: None }
    }

    /// The number of flows, if every column has it.
    pub(super) fn checked_length(&self, decisions: usize) -> Result<usize, ColumnsError> {
        let expected = self.remote.len();
        let lengths = [
            ("protocol", self.protocol.len()),
            ("selector", self.selector.len()),
            ("source_port", self.source_port.map_or(expected, <[u16]>::len)),
            ("local", self.local.map_or(expected, <[A]>::len)),
            ("decisions", decisions),
        ];
        match lengths.into_iter().find(|(_, found)| *found != expected) {
            Some((column, found)) => Err(ColumnsError { column, found, expected }),
            None => Ok(expected),
        }
    }
}

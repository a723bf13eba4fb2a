//! Finding the piece of a dimension that a point lies in by binary search: the small form.

/// Addresses of one family to rows.
#[derive(Debug, Clone)]
pub(super) struct AddressSearch<N> {
    /// Where pieces start, ascending from 0.
    starts: Box<[N]>,
    rows: Box<[u32]>,
    /// The first of each piece's own answers; empty if no piece has any.
    owns: Box<[u32]>,
}

impl<N: Copy + Ord> AddressSearch<N> {
    pub(super) fn new(starts: &[N], rows: &[u32], owns: &[u32]) -> Self {
        Self { starts: starts.into(), rows: rows.into(), owns: owns.into() }
    }

    /// The row of an address, and the first of its own answers.
    #[inline]
    pub(super) fn place(&self, address: N) -> (u32, u32) {
        let piece = piece(&self.starts, address);
        let at = |values: &[u32]| values.get(piece).copied().unwrap_or_default();
        (at(&self.rows), at(&self.owns))
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.rows) + size_of_val(&*self.owns)
    }
}

/// Services to columns.
#[derive(Debug, Clone)]
pub(super) struct ServiceSearch {
    /// Where pieces start, ascending from 0.
    starts: Box<[u32]>,
    columns: Box<[u32]>,
}

impl ServiceSearch {
    pub(super) fn new(starts: &[u32], columns: &[u32]) -> Self {
        Self { starts: starts.into(), columns: columns.into() }
    }

    /// The column of a service.
    #[inline]
    pub(super) fn column(&self, service: u32) -> u32 {
        self.columns.get(piece(&self.starts, service)).copied().unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.columns)
    }
}

/// The number of the piece that a point lies in, among starts of pieces that ascend from 0.
#[inline]
fn piece<N: Copy + Ord>(starts: &[N], point: N) -> usize {
    starts.partition_point(|start| *start <= point).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_piece_at_its_edges() {
        for count in 1..40_u32 {
            let starts: Vec<u32> = (0..count).map(|piece| piece * 10).collect();
            for point in 0..count * 10 {
                assert_eq!(piece(&starts, point), (point / 10) as usize, "{count} pieces, {point}");
            }
            assert_eq!(piece(&starts, u32::MAX), (count - 1) as usize);
        }
        assert_eq!(piece(&[], 5), 0);
    }
}

//! Sets of places.

/// A set of places below some number, a bit each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Places(Box<[u64]>);

impl Places {
    /// No place, of so many.
    pub(crate) fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)].into())
    }

    /// Puts a place in, or takes it out.
    pub(crate) fn flip(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word ^= 1 << (place % 64);
        }
    }

    /// The places in the set, in order.
    pub(crate) fn members(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(word, bits)| Bits(*bits).map(move |bit| 64 * word + bit))
    }

    /// The words that it takes.
    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }
}

/// The places of the bits that are set, in order.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = usize::try_from(self.0.trailing_zeros()).ok()?;
        (self.0 != 0).then(|| {
            self.0 &= self.0 - 1;
            bit
        })
    }
}

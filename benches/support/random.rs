//! Random numbers that are the same in every run.

/// Where every sequence starts.
pub(crate) const SEED: u64 = 0x5ec6_0045_1dea_2025;

/// The generator xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators,
/// scrambled"): small, fast, good enough to choose test data, the same on every machine.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // The state must not be zero.
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, from the upper bits; `bound` must not be 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let product = (self.next() >> 32) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or_default()
    }

    /// A number below `bound`, for bounds of more than 32 bits; `bound` must not be 0. What the remainder
    /// favours is less than one in 2^20 for bounds below 2^44.
    pub(crate) fn below_wide(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number of 128 random bits.
    pub(crate) fn wide(&mut self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }

    /// A port of a range, bounds included.
    pub(crate) fn port_within(&mut self, first: u16, last: u16) -> u16 {
        let width = u32::from(last.saturating_sub(first)) + 1;
        first.saturating_add(u16::try_from(self.below(width)).unwrap_or_default())
    }

    /// Random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u32::try_from(last).unwrap_or_default().saturating_add(1);
            items.swap(last, usize::try_from(self.below(bound)).unwrap_or_default());
        }
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Any port.
    pub(crate) fn port(&mut self) -> u16 {
        u16::try_from(self.below(1 << 16)).unwrap_or_default()
    }

    /// One of the items; `None` if there are none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let length = u32::try_from(items.len()).ok().filter(|length| *length > 0)?;
        items.get(usize::try_from(self.below(length)).ok()?)
    }
}

//! A small seeded generator (SplitMix64): the same seed gives the same life of a device on every machine.

use netify_licensed::core::time::Millis;

/// The generator.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0.0..1.0`.
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something with this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `from..to`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub fn between(&mut self, from: Millis, to: Millis) -> Millis {
        from + ((to - from) as f64 * self.unit()) as Millis
    }

    /// Between two positive spans, every order of magnitude equally likely.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub fn magnitude(&mut self, from: Millis, to: Millis) -> Millis {
        let (from, to) = ((from as f64).ln(), (to as f64).ln());
        (from + (to - from) * self.unit()).exp() as Millis
    }

    /// Time to the next of events that come once in `mean` on average; at least one millisecond.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub fn interval(&mut self, mean: Millis) -> Millis {
        ((-(1.0 - self.unit()).ln() * mean as f64) as Millis).max(1)
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.next() % from.len() as u64).unwrap_or(0);
        from[index]
    }
}

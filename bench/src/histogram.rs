//! Latencies in buckets: small, quick to fill, less than one percent off.

use std::time::Duration;

/// Each doubling of the latency has this many bits of buckets.
const BITS: u32 = 7;
const PER_OCTAVE: u64 = 1 << BITS;
/// Everything that fits into 64 bits of nanoseconds.
const BUCKETS: usize = ((64 - BITS) as usize + 1) << BITS;

/// How often which latency was seen.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// How many latencies were recorded.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The latency that the given share of all stays at or below; zero if there is none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = ((share * self.total as f64).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(middle(bucket as u64));
            }
        }
        Duration::ZERO
    }
}

/// The first two octaves' worth of values have a bucket each; then every doubling has `PER_OCTAVE`.
fn bucket(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.leading_zeros();
    let shift = bits.saturating_sub(BITS + 1);
    (u64::from(shift) * PER_OCTAVE + (nanos >> shift)) as usize
}

/// The value in the middle of a bucket.
fn middle(bucket: u64) -> u64 {
    if bucket < 2 * PER_OCTAVE {
        return bucket;
    }
    let shift = bucket / PER_OCTAVE - 1;
    let lowest = (bucket - shift * PER_OCTAVE) << shift;
    lowest + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_one_percent_of_its_bucket() {
        let mut value = 1_u64;
        while value < u64::MAX / 3 {
            let found = middle(bucket(value) as u64);
            assert!(found.abs_diff(value) as f64 <= value as f64 * 0.01, "{value} became {found}");
            value = value * 3 / 2 + 1;
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn buckets_follow_each_other_without_a_hole() {
        let buckets: Vec<usize> = (0..10_000).map(bucket).collect();
        assert!(buckets.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
        assert_eq!(buckets[0], 0);
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::new();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.total(), 1000);
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0), (0.0, 1.0)] {
            let found = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!((found - expected).abs() <= expected * 0.01, "{share}: {found}");
        }
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert_eq!(Histogram::new().quantile(0.5), Duration::ZERO);
    }
}

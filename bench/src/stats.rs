//! Many rounds become one row.

use std::time::Duration;

use crate::calm::Elsewhere;
use crate::proc::Cpu;

/// One round of one candidate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Good answers per second.
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    /// What the CPU times below were spent on.
    pub(crate) answers: u64,
    pub(crate) cpu: Cpu,
    pub(crate) generator: Duration,
    pub(crate) elsewhere: Elsewhere,
}

/// All rounds of one candidate: of each figure the middle one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// How far the fastest round is from the slowest, as a share of the middle one.
    pub(crate) spread: f64,
    /// CPU microseconds for each answer: of the process started, of those below it, of the load itself.
    pub(crate) root_micros: f64,
    pub(crate) below_micros: f64,
    pub(crate) generator_micros: f64,
    /// Over all rounds.
    pub(crate) refused: u64,
    pub(crate) broken: u64,
}

impl Summary {
    pub(crate) fn of(rounds: &[Round]) -> Self {
        let middle = |figure: &dyn Fn(&Round) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        let rate = middle(&|round| round.rate);
        let answers = rounds.iter().map(|round| round.answers).sum::<u64>().max(1) as f64;
        let micros =
            |time: &dyn Fn(&Round) -> Duration| rounds.iter().map(time).sum::<Duration>().as_secs_f64() * 1e6 / answers;
        Self {
            rate,
            p50: Duration::from_secs_f64(middle(&|round| round.p50.as_secs_f64())),
            p99: Duration::from_secs_f64(middle(&|round| round.p99.as_secs_f64())),
            spread: spread(&rounds.iter().map(|round| round.rate).collect::<Vec<_>>()),
            // The kernel counts these in ticks of 10 ms: they are summed, not picked.
            root_micros: micros(&|round| round.cpu.root),
            below_micros: micros(&|round| round.cpu.below),
            generator_micros: micros(&|round| round.generator),
            refused: rounds.iter().map(|round| round.refused).sum(),
            broken: rounds.iter().map(|round| round.broken).sum(),
        }
    }

    /// Whether every answer was the right one.
    pub(crate) fn valid(&self) -> bool {
        self.refused == 0 && self.broken == 0 && self.rate > 0.0
    }
}

/// The middle value; of an even number of values the mean of the two in the middle; zero of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// The value that the given share of all stays at or below; zero of none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// How far the largest value is from the smallest, as a share of the middle one.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let (most, least) =
        (values.iter().copied().fold(f64::MIN, f64::max), values.iter().copied().fold(f64::MAX, f64::min));
    let middle = median(values);
    if middle > 0.0 { (most - least) / middle } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=60).rev().map(f64::from).collect();
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.95), quantile(&values, 1.0)), (30.0, 57.0, 60.0));
        assert_eq!((quantile(&[], 0.5), quantile(&[7.0], 0.0), quantile(&[7.0], 0.99)), (0.0, 7.0, 7.0));
    }

    #[test]
    fn a_spread_is_relative() {
        assert_eq!(spread(&[90.0, 100.0, 120.0]), 0.3);
        assert_eq!((spread(&[]), spread(&[0.0])), (0.0, 0.0));
    }

    #[test]
    fn the_middle_value_is_found() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    fn round(rate: f64, p50: u64, answers: u64, root: u64) -> Round {
        let cpu = Cpu { root: Duration::from_millis(root), below: Duration::from_millis(2 * root) };
        let generator = Duration::from_millis(root / 2);
        let (p50, p99) = (Duration::from_micros(p50), Duration::from_micros(10 * p50));
        Round { rate, p50, p99, answers, cpu, generator, ..Round::default() }
    }

    #[test]
    fn rounds_become_their_medians_and_cpu_times_are_shared_out() {
        let rounds = [round(100.0, 30, 1000, 10), round(80.0, 50, 1000, 20), round(120.0, 20, 2000, 10)];
        let summary = Summary::of(&rounds);
        assert_eq!(summary.rate, 100.0);
        assert_eq!((summary.p50, summary.p99), (Duration::from_micros(30), Duration::from_micros(300)));
        assert!((summary.spread - 0.4).abs() < 1e-9);
        assert!((summary.root_micros - 10.0).abs() < 1e-9 && (summary.below_micros - 20.0).abs() < 1e-9);
        assert!(summary.valid());
    }

    #[test]
    fn one_bad_answer_makes_a_row_invalid() {
        let rounds = [round(100.0, 30, 1000, 10), Round { refused: 1, ..round(100.0, 30, 1000, 10) }];
        let summary = Summary::of(&rounds);
        assert!(!summary.valid());
        assert_eq!(summary.refused, 1);
        assert!(!Summary::of(&[]).valid(), "nothing measured is not valid either");
    }
}

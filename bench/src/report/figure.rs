//! Figures as people read them, and bars that they are held against.

use std::fmt;
use std::time::Duration;

/// A measured number and what it counts.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum Figure {
    /// How many times as much.
    Times(f64),
    Duration(Duration),
    /// Microseconds more than those of a peer.
    Over(f64),
    /// Bytes.
    Memory(f64),
    PerSecond(f64),
    Percent(f64),
    Count(u64),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) if *times >= 100.0 => write!(f, "{} ×", thousands(*times)),
            Self::Times(times) => write!(f, "{times:.2} ×"),
            Self::Duration(length) => f.write_str(&time(*length)),
            // Not "-0".
            Self::Over(micros) => write!(f, "{:+} µs", micros.round() as i64),
            Self::Memory(bytes) => f.write_str(&megabytes(*bytes)),
            Self::PerSecond(rate) => write!(f, "{}/s", thousands(*rate)),
            Self::Percent(percent) => write!(f, "{percent:.1} %"),
            Self::Count(count) => f.write_str(&thousands(*count as f64)),
        }
    }
}

/// A figure that has to be reached (design.md, section 8).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    what: String,
    figure: Figure,
    bar: String,
    met: bool,
}

impl Bar {
    pub(crate) fn at_least(what: impl Into<String>, figure: Figure, least: Figure) -> Self {
        Self { what: what.into(), figure, bar: format!("≥ {}", round(least)), met: figure >= least }
    }

    pub(crate) fn at_most(what: impl Into<String>, figure: Figure, most: Figure) -> Self {
        Self { what: what.into(), figure, bar: format!("≤ {}", round(most)), met: figure <= most }
    }

    fn verdict(&self) -> &'static str {
        if self.met { "met" } else { "**missed**" }
    }

    /// One of a list below a table.
    pub(crate) fn line(&self) -> String {
        format!("- {}: {}, bar {}: {}\n", self.what, self.figure, self.bar, self.verdict())
    }

    /// The row of a table of all of them.
    pub(crate) fn row(&self) -> Vec<String> {
        vec![self.what.clone(), self.figure.to_string(), self.bar.clone(), self.verdict().to_owned()]
    }
}

/// Bars are round: 2 ms, not 2.00.
fn round(figure: Figure) -> String {
    figure.to_string().replace(".00 ", " ").replace(".0 ", " ")
}

pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn time(time: Duration) -> String {
    match time.as_secs_f64() * 1e6 {
        micros if micros < 1e3 => format!("{micros:.0} µs"),
        micros if micros < 1e5 => format!("{:.2} ms", micros / 1e3),
        micros => format!("{:.0} ms", micros / 1e3),
    }
}

/// Of a million bytes each.
pub(crate) fn megabytes(bytes: f64) -> String {
    match bytes / 1e6 {
        few if few.abs() < 10.0 => format!("{few:.1} MB"),
        many => format!("{many:.0} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(7.4, "7"), (999.0, "999"), (1000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn figures_are_as_exact_as_they_should_be() {
        for (figure, text) in [
            (Figure::Times(1.498), "1.50 ×"),
            (Figure::Times(7_880.1), "7,880 ×"),
            (Figure::Duration(Duration::from_micros(80)), "80 µs"),
            (Figure::Duration(Duration::from_micros(2_345)), "2.35 ms"),
            (Figure::Duration(Duration::from_micros(312_345)), "312 ms"),
            (Figure::Over(-0.4), "+0 µs"),
            (Figure::Over(28.4), "+28 µs"),
            (Figure::Memory(39_600_000.0), "40 MB"),
            (Figure::Memory(-1_240_000.0), "-1.2 MB"),
            (Figure::PerSecond(15_000.4), "15,000/s"),
            (Figure::Percent(4.96), "5.0 %"),
            (Figure::Count(60), "60"),
        ] {
            assert_eq!(figure.to_string(), text);
        }
    }

    #[test]
    fn a_bar_is_met_by_the_figure_and_not_by_its_text() {
        let ms = |micros| Figure::Duration(Duration::from_micros(micros));
        let missed = Bar::at_most("ready", ms(400_001), ms(400_000));
        assert_eq!(Bar::at_most("handler", ms(80_120), ms(80_000)).row()[1..3], ["80.12 ms", "≤ 80 ms"]);
        assert_eq!(missed.line(), "- ready: 400 ms, bar ≤ 400 ms: **missed**\n");
        assert_eq!(Bar::at_most("ready", ms(400_000), ms(400_000)).row()[3], "met");
        let rate = Bar::at_least("events", Figure::PerSecond(15_000.0), Figure::PerSecond(15_000.0));
        assert_eq!(rate.row(), ["events", "15,000/s", "≥ 15,000/s", "met"]);
    }
}

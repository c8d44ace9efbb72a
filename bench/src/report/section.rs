//! A table with what belongs to it.

use crate::calm::Elsewhere;
use crate::report::figure::Bar;

/// Columns and rows; the first column says what a row is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// `columns` are those after the first.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|column| (*column).to_owned()).collect(), rows: Vec::new() }
    }

    /// Cells that are missing at the end are empty.
    pub(crate) fn row(&mut self, what: &str, cells: Vec<String>) {
        let mut row = vec![what.to_owned()];
        row.extend(cells);
        row.resize(self.columns.len() + 1, String::new());
        self.rows.push(row);
    }

    pub(crate) fn markdown(&self) -> String {
        let cell = |text: &String| if text.is_empty() { " |".to_owned() } else { format!(" {text} |") };
        let line = |cells: &[String]| format!("|{}\n", cells.iter().map(cell).collect::<String>());
        let columns: Vec<String> = [String::new()].into_iter().chain(self.columns.iter().cloned()).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}|---|{}\n{rows}", line(&columns), "---:|".repeat(self.columns.len()))
    }
}

/// A part of the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) heading: String,
    /// What is measured, where the heading does not say it.
    pub(crate) intro: String,
    pub(crate) grid: Grid,
    /// A paragraph each, below the table.
    pub(crate) notes: Vec<String>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) elsewhere: Elsewhere,
    /// Figures by which a slower or faster machine can be told.
    pub(crate) calibration: Vec<String>,
}

impl Section {
    pub(crate) fn markdown(&self) -> String {
        let Self { heading, intro, grid, notes, bars, elsewhere, .. } = self;
        let mut text = format!("\n#### {heading}\n\n");
        if !intro.is_empty() {
            text += &format!("{intro}\n\n");
        }
        text += &grid.markdown();
        if !bars.is_empty() {
            text += &format!("\n{}", bars.iter().map(Bar::line).collect::<String>());
        }
        for note in notes {
            text += &format!("\n{note}\n");
        }
        if !elsewhere.calm() {
            text += &format!("\n**Not calm**: meanwhile {elsewhere}.\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::Figure;

    #[test]
    fn a_section_has_its_table_then_bars_then_notes() {
        let mut grid = Grid::new(&["p50", "p99"]);
        grid.row("motia", vec!["1 ms".into(), "2 ms".into()]);
        grid.row("BullMQ", vec!["**failed**".into()]);
        let section = Section {
            heading: "Latency".into(),
            intro: "One event at a time.".into(),
            grid,
            notes: vec!["Something.".into()],
            bars: vec![Bar::at_least("p50", Figure::Times(2.0), Figure::Times(1.0))],
            ..Section::default()
        };
        let expected = "
#### Latency

One event at a time.

| | p50 | p99 |
|---|---:|---:|
| motia | 1 ms | 2 ms |
| BullMQ | **failed** | |

- p50: 2.00 ×, bar ≥ 1 ×: met

Something.
";
        assert_eq!(section.markdown(), expected);
        let section = Section { elsewhere: Elsewhere { foreign: 0.12, stolen: 0.0 }, ..section };
        let said = "\n**Not calm**: meanwhile 12 % of the machine went to other processes, 0 % to other machines.\n";
        assert_eq!(section.markdown(), format!("{expected}{said}"));
    }
}

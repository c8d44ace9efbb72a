//! Lists for people: columns as wide as they must be, times in the machine's zone.

use serde_json::Value;

/// Puts rows under a head. Numbers stand at the right of their column.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| if is_number(cell) { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let mut text = line(&head);
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit())
}

/// A member as text; empty if it is not there.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first line of a text, no longer than a line of a terminal takes.
pub(super) fn first_line(text: &str) -> String {
    const MOST: usize = 80;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Milliseconds since 1970 as a time of this machine's zone.
pub(super) fn time(value: &Value) -> String {
    let at = value.as_i64().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    at.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [vec!["a".into(), "12".into()], vec!["longer".into(), "3".into()]];
        assert_eq!(table(&["step", "waiting"], &rows), "step    waiting\na            12\nlonger        3\n");
    }

    #[test]
    fn texts_are_cut_to_a_line() {
        assert_eq!(first_line("boom\n  at x"), "boom");
        assert_eq!(first_line(&"é".repeat(100)).chars().count(), 81);
    }
}

//! An interleaving as a table for people: one lane per thread, one row per step that matters.

use std::fmt::Write as _;

use crate::explore::interleaving::Interleaving;

/// Widest lane in letters.
const WIDEST: usize = 44;

/// The table.
#[must_use]
pub fn render(interleaving: &Interleaving) -> String {
    let used: Vec<usize> = (0..interleaving.threads.len())
        .filter(|&thread| interleaving.rows.iter().any(|row| row.thread == thread))
        .collect();
    let width = |&thread: &usize| {
        let own = interleaving.rows.iter().filter(|row| row.thread == thread);
        let longest = own.map(|row| row.action.chars().count()).max().unwrap_or(0);
        longest.max(interleaving.threads[thread].chars().count()).min(WIDEST) + 2
    };
    let widths: Vec<usize> = used.iter().map(width).collect();
    let mut text = String::from("  step  ");
    for (&thread, width) in used.iter().zip(&widths) {
        let _ = write!(text, "{:<width$}", cut(&interleaving.threads[thread], width - 2));
    }
    text = text.trim_end().to_owned() + "\n";
    for row in &interleaving.rows {
        let mark = match row.switch {
            Some("preempted") => "!",
            Some(_) => "-",
            None => " ",
        };
        let mut line = format!("{mark}{:>5}  ", row.step);
        for (&thread, width) in used.iter().zip(&widths) {
            let action = if thread == row.thread { cut(&row.action, width - 2) } else { String::new() };
            let _ = write!(line, "{action:<width$}");
        }
        if let Some(place) = &row.place {
            let _ = write!(line, "{}:{}:{}", place.file, place.line, place.column);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str("  `!`: the thread before was preempted; `-`: it had to wait, or had ended\n");
    if interleaving.hidden > 0 {
        let _ = writeln!(text, "  {} steps inside the standard library are not shown", interleaving.hidden);
    }
    text
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::interleaving::Row;
    use crate::finding::Place;

    #[test]
    fn each_thread_has_its_lane() {
        let row = |step, thread, action: &str, line, switch| Row {
            step,
            thread,
            action: action.to_owned(),
            place: Some(Place { file: "src/main.rs".to_owned(), line, column: 5 }),
            switch,
        };
        let interleaving = Interleaving {
            threads: vec!["main".to_owned(), "idle".to_owned(), "worker".to_owned()],
            rows: vec![
                row(3, 0, "reads 0 from `N`", 7, None),
                row(5, 2, "writes 1 to `N`", 9, Some("preempted")),
                row(6, 0, "ends", 8, Some("switch")),
            ],
            hidden: 2,
        };
        let expected = "  step  main              worker
     3  reads 0 from `N`                   src/main.rs:7:5
!    5                    writes 1 to `N`  src/main.rs:9:5
-    6  ends                               src/main.rs:8:5
  `!`: the thread before was preempted; `-`: it had to wait, or had ended
  2 steps inside the standard library are not shown
";
        assert_eq!(render(&interleaving), expected);
    }
}

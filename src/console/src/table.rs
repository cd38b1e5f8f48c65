//! A table of text.

use crate::COLUMNS;
use crate::text::{printable, shortened};
use alloc::string::String;
use alloc::vec::Vec;
use base::text::{cut, trim_end};

/// Rows of cells, each column as wide as its longest cell.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// The most characters of a cell that is not the last of its row.
const CELL: usize = 34;

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Adds a row. Cells may hold text from the network.
    pub fn row(&mut self, cells: &[&str]) {
        let mut row = base::list(cells.iter().map(|cell| shortened(cell, CELL)));
        if let (Some(last), Some(cell)) = (row.last_mut(), cells.last()) {
            *last = printable(cell);
        }
        self.rows.push(row);
    }

    /// The table as lines of at most [`COLUMNS`] characters. A last cell that is longer goes on below itself; what
    /// has no room at all is cut off.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                if column + 1 < row.len() {
                    line.push_str(cell);
                    let width = self.width(column) + 2;
                    (cell.len()..width).for_each(|_| line.push(' '));
                    continue;
                }
                let indent = line.len();
                let mut rest = Some(cell.as_str());
                while let Some(words) = rest {
                    let word;
                    (word, rest) = cut(words, b' ');
                    if line.len() > indent && line.len() + word.len() > COLUMNS {
                        push_line(&mut out, &mut line);
                        (0..indent).for_each(|_| line.push(' '));
                    }
                    line.push_str(word);
                    line.push(' ');
                }
            }
            push_line(&mut out, &mut line);
        }
        out
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
    }
}

/// Moves a finished line to the others.
fn push_line(out: &mut String, line: &mut String) {
    line.truncate(COLUMNS);
    out.push_str(trim_end(line, b' '));
    out.push('\n');
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["from", "file", ""]);
        table.row(&["192.0.2.1", "undionly.kpxe", "our own image"]);
        table.row(&["192.0.2.20", "", "no file"]);
        table.row(&["x\ny"]);
        assert_eq!(
            table.render(),
            "from        file\n\
             192.0.2.1   undionly.kpxe  our own image\n\
             192.0.2.20                 no file\n\
             x?y\n"
        );
    }

    #[test]
    fn a_long_last_cell_goes_on_below_itself() {
        let mut table = Table::new(&["tried", "result"]);
        table.row(&["http://boot.example/", &"word ".repeat(20)]);
        let lines: Vec<_> = table.render().lines().map(String::from).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with(&" ".repeat(22)) && lines[2].trim_start().starts_with("word"));
        assert_eq!(lines.concat().matches("word").count(), 20);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide(rows in proptest::collection::vec(proptest::collection::vec(".{0,50}", 0..5), 0..6)) {
            let mut table = Table::new(&["a", "b"]);
            for row in &rows {
                table.row(&row.iter().map(String::as_str).collect::<Vec<_>>());
            }
            let out = table.render();
            prop_assert!(out.lines().count() > rows.len());
            prop_assert!(out.lines().all(|line| line.len() <= COLUMNS));
        }
    }
}

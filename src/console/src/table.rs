//! A table of text.

use crate::COLUMNS;
use crate::text::printable;
use alloc::string::String;
use alloc::vec::Vec;

/// Rows of cells, each column as wide as its longest cell.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Adds a row. Cells may hold text from the network.
    pub fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The table as lines of at most [`COLUMNS`] characters; what is longer is cut off at the right.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let start = out.len();
            for (column, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if column + 1 < row.len() {
                    let width = self.width(column) + 2;
                    (cell.len()..width).for_each(|_| out.push(' '));
                }
            }
            out.truncate(start + COLUMNS);
            out.truncate(out.trim_end_matches(' ').len().max(start));
            out.push_str("\r\n");
        }
        out
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
    }
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
            "from        file\r\n\
             192.0.2.1   undionly.kpxe  our own image\r\n\
             192.0.2.20                 no file\r\n\
             x?y\r\n"
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide(rows in proptest::collection::vec(proptest::collection::vec(".{0,50}", 0..5), 0..6)) {
            let mut table = Table::new(&["a", "b"]);
            for row in &rows {
                table.row(&row.iter().map(String::as_str).collect::<Vec<_>>());
            }
            let out = table.render();
            prop_assert_eq!(out.lines().count(), rows.len() + 1);
            prop_assert!(out.lines().all(|line| line.len() <= COLUMNS));
        }
    }
}

//! What is made of the numbers: tables in Markdown, and a report of each run.

use super::{Card, Download, MEBIBYTE, RoundTrip, Run};

impl Download {
    /// Bytes per second.
    fn rate(&self) -> u64 {
        self.bytes * 1_000_000 / self.length.max(1)
    }

    fn switches_per_frame(&self) -> String {
        thousandths(self.work.msr_writes, self.frames * 2)
    }

    /// What `text` says of a download, if there was one.
    fn per_frame(&self, text: impl FnOnce(&Self) -> String) -> String {
        if self.frames == 0 { "-".to_owned() } else { text(self) }
    }

    fn report(&self) -> String {
        format!(
            "{} MiB/s, {} frames, per frame {} switches by EFER, {} by its own count, {} CR0 writes, {} instructions",
            hundredths(self.rate(), 1 << 20),
            self.frames,
            self.switches_per_frame(),
            thousandths(self.own_count, self.frames),
            hundredths(self.work.cr0_writes, self.frames),
            self.work.instructions / self.frames.max(1),
        )
    }
}

impl Run {
    /// For a person.
    pub fn report(&self) -> String {
        let from_roms = match self.rom_to_script {
            [0, 0] => String::new(),
            times => format!(", {} from ROMs", times.map(seconds).join(" and ")),
        };
        format!(
            "{} s to script{from_roms}\n  HTTP {}\n  TFTP {}",
            seconds(self.to_script),
            self.http.report(),
            self.tftp.report()
        )
    }
}

/// The comparison as a Markdown table, on one card: a run each of its contenders.
pub fn table(card: Card, runs: &[Run]) -> String {
    let names: Vec<&str> = card.contenders().iter().map(|contender| contender.name()).collect();
    let mut table = format!(
        "| {} | {} | wanted |\n|---{}|---|\n",
        card.name(),
        names.join(" | "),
        "|---".repeat(names.len())
    );
    let mut row = |measure: &str, wanted: &str, cells: Vec<String>| {
        table.push_str(&format!("| {measure} | {} | {wanted} |\n", cells.join(" | ")));
    };
    let to_script = if card.is_native() { "at most 1x" } else { "at most 0.5x" };
    let numbers = |number: fn(&Run) -> u64| runs.iter().map(number).collect::<Vec<_>>();
    row("HTTP, MiB/s", card.wanted(), ratios(&numbers(|run| run.http.rate()), MEBIBYTE));
    if !card.is_native() {
        row("TFTP, MiB/s", card.wanted(), ratios(&numbers(|run| run.tftp.rate()), MEBIBYTE));
    }
    let times = ratios(&numbers(|run| run.to_script), SECOND);
    row("first instruction to first script line, s", to_script, times);
    if card.is_native() {
        let times = ratios(&numbers(|run| run.rom_to_script[0]), SECOND);
        row("ROM start to first script line, s", to_script, times);
        let times = ratios(&numbers(|run| run.rom_to_script[1]), SECOND);
        row("the same, ours an `.mrom`", to_script, times);
    }
    let downloads =
        [("HTTP", (|run: &Run| run.http) as fn(&Run) -> Download), ("TFTP", |run: &Run| run.tftp)];
    for (name, download) in downloads.into_iter().take(card.downloads().count()) {
        let downloads: Vec<Download> = runs.iter().map(download).collect();
        let each =
            |text: fn(&Download) -> String| downloads.iter().map(|it| it.per_frame(text)).collect::<Vec<_>>();
        let ours = |text: String| {
            let mut cells = vec!["-".to_owned(); runs.len()];
            cells[0] = text;
            cells
        };
        let mut row = |measure: &str, wanted: &str, cells| row(&format!("{name}, {measure}"), wanted, cells);
        if !card.is_native() {
            let of_ours = downloads[0];
            row("mode switches per received frame", "at most 0.1", ours(of_ours.switches_per_frame()));
            let own = thousandths(of_ours.own_count, of_ours.frames);
            row("the same by the firmware's own count", "the same", ours(own));
            row(
                "CR0 writes per received frame, the ROM's included",
                "-",
                each(|it| hundredths(it.work.cr0_writes, it.frames)),
            );
        }
        row("microseconds per received frame", "-", each(|it| hundredths(it.length, it.frames)));
        let wanted = if card.is_native() { "at most half" } else { "-" };
        row(
            "guest instructions per received frame",
            wanted,
            each(|it| (it.work.instructions / it.frames).to_string()),
        );
    }
    table
}

/// The round trips as a Markdown table.
pub fn round_trip_table(downcall: RoundTrip, upcall: RoundTrip) -> String {
    let cells = |trip: RoundTrip| format!("{} | {}", trip.instructions, hundredths(trip.nanoseconds, 1000));
    format!(
        "| ours | guest instructions | microseconds |\n|---|---|---|\n\
         | empty downcall: from long mode to real mode, interrupts let in, and back | {} |\n\
         | empty upcall: UNDI_GET_STATE, from real mode to long mode and back | {} |\n\n\
         An upcall ends the downcall that runs the program, and the next one goes on with it.\n",
        cells(downcall),
        cells(upcall)
    )
}

/// Cells, of which the peers' say also how many times as much ours is.
fn ratios(numbers: &[u64], unit: u64) -> Vec<String> {
    let ours = numbers.first().copied().unwrap_or(0);
    let cell = |number: &u64| match *number {
        0 => "-".to_owned(),
        number if number == ours => hundredths(number, unit),
        number => format!("{} ({}x)", hundredths(number, unit), hundredths(ours, number)),
    };
    numbers.iter().map(cell).collect()
}

/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

fn seconds(microseconds: u64) -> String {
    hundredths(microseconds, SECOND)
}

/// `number / unit` with three digits after the point.
fn thousandths(number: u64, unit: u64) -> String {
    let thousandths = u128::from(number) * 1000 / u128::from(unit.max(1));
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// `number / unit` with two digits after the point.
fn hundredths(number: u64, unit: u64) -> String {
    let hundredths = u128::from(number) * 100 / u128::from(unit.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::numbers::tests::{DOWNLOAD, RUN};

    #[test]
    fn roms_are_reported_where_they_were_measured() {
        assert!(RUN.report().starts_with("1.25 s to script, 2.00 and 1.00 from ROMs\n  HTTP 3.00 MiB/s"));
        let without = Run { rom_to_script: [0; 2], ..RUN };
        assert!(without.report().starts_with("1.25 s to script\n  HTTP 3.00 MiB/s"));
    }

    #[test]
    fn roms_have_rows_where_drivers_are_our_own() {
        let slow = Run { rom_to_script: [4_000_000; 2], ..RUN };
        let runs = [RUN, slow, Run { rom_to_script: [0; 2], ..RUN }];
        let native = table(Card::NativeE1000, &runs);
        for row in [
            "| ROM start to first script line, s | 2.00 | 4.00 (0.50x) | - | at most 1x |",
            "| the same, ours an `.mrom` | 1.00 | 4.00 (0.25x) | - | at most 1x |",
        ] {
            assert!(native.contains(row), "{row} is not in\n{native}");
        }
        assert!(!table(Card::Stock, &runs).contains("ROM start"));
    }

    #[test]
    fn the_table_has_ratios() {
        let slow = Run { to_script: 5_000_000, http: Download { length: 3_000_000, ..DOWNLOAD }, ..RUN };
        let ours = Run::median(&[slow, RUN, RUN]);
        let table = table(Card::Stock, &[ours, slow, Run { to_script: 0, ..RUN }]);
        for row in [
            "| HTTP, MiB/s | 3.00 | 1.00 (3.00x) |",
            "| 1.25 | 5.00 (0.25x) | - |",
            "received frame | 0.200 | - | - |",
            "own count | 0.210 | - | - |",
            "included | 2.50 | 2.50 | 2.50 |",
            "HTTP, microseconds per received frame | 10000.00 | 30000.00 | 10000.00 |",
        ] {
            assert!(table.contains(row), "{row} is not in\n{table}");
        }
    }
}

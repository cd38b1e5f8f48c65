//! Prints the table of all errors that the crates declare, as Markdown.
#![allow(clippy::std_instead_of_core, reason = "runs on the host only")]

use base::ErrorKind;

/// Where errors are declared: the crate's name and its list.
const CRATES: &[(&str, &[&ErrorKind])] = &[
    ("firmware", firmware::ALL),
    ("undi", undi::errors::ALL),
    ("nic", nic::errors::ALL),
    ("net", net::errors::ALL),
    ("dhcp", dhcp::errors::ALL),
    ("dns", dns::errors::ALL),
    ("tftp", tftp::errors::ALL),
    ("http", http::errors::ALL),
    ("uri", uri::errors::ALL),
    ("image", image::errors::ALL),
    ("picture", picture::errors::ALL),
    ("settings", settings::errors::ALL),
    ("script", script::errors::ALL),
];

/// The firmware is a program for the bare machine, so this file of it is taken by itself.
#[path = "../../src/firmware/src/errors.rs"]
mod firmware;

fn main() {
    println!("# Errors\n");
    println!("Made by `cargo xtask errors` from the declarations in the code; do not edit.\n");
    println!("An error is shown as one sentence with its id, and one line of what to try.");
    println!("`…` stands for the name of the thing that failed.");
    for (name, errors) in CRATES {
        println!("\n## {name}\n\n| id | what happened | what to try |\n|---|---|---|");
        for error in *errors {
            let cause = error.cause().replace("{}", "…");
            println!("| `{}` | {} | {} |", error.id(), escaped(&cause), escaped(error.hint()));
        }
    }
}

/// `text` in a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

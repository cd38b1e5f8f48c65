//! The lexer and interpreter of `#!ipxe` scripts.
//!
//! A script is lines of commands, joined by `||`, `&&` and `;`. Commands see the world through [`Host`] only:
//! settings, images, the screen, the keyboard and the network are the host's. Scripts that start scripts are frames
//! of the interpreter, not of the machine's stack. Text is bytes throughout, as it came; nothing is re-encoded.
//!
//! ```text
//! run(host, Start::Image(id))    an image, as `boot` does
//! run(host, Start::Line(text))   one line
//! run(host, Start::Shell)        lines from the keyboard until `exit`
//! ```
#![no_std]

extern crate alloc;

mod commands;
mod drafts;
mod expand;
mod host;
mod images;
mod interpreter;
pub mod lexer;
mod location;
mod options;
#[cfg(test)]
mod tests;

pub use commands::{COMMANDS, Command, Vlan, discard, fill_in, image, known_card, known_cards};
pub use drafts::{Drafts, Item, Menu, Parameter, Parameters};
pub use expand::{expand, innermost, slice};
pub use host::{Fetch, Fetched, Host, Line, Selection};
pub use images::{Handle, Image, ImageId, Images, Type};
pub use interpreter::{Failure, Start, run};
pub use lexer::is_script;
pub use location::{set_working_uri, working_uri};
pub use options::{Choice, Invocation, Options, Takes, Words};

/// What can go wrong in scripts.
pub mod errors {
    base::errors! {
        /// No such command.
        UNKNOWN_COMMAND = "SCRIPT-01", "unknown command {}", "help lists the commands of this build";
        /// An option that the command does not have.
        UNKNOWN_OPTION = "SCRIPT-02", "unknown option {}", "the command's --help lists its options";
        /// An option without its value.
        MISSING_VALUE = "SCRIPT-03", "option {} needs a value", "write --option=value or --option value";
        /// Too few or too many words.
        ARGUMENTS = "SCRIPT-04", "wrong number of arguments for {}", "the command's --help shows how it is used";
        /// A number that is none.
        NOT_A_NUMBER = "SCRIPT-05", "{} is not a number", "write 12, 0x0c or 014";
        /// A label that is not in the script.
        NO_LABEL = "SCRIPT-06", "there is no label {} in this script", "labels are lines that begin with :name, case counts";
        /// A jump or replacement outside of a script.
        NOT_IN_SCRIPT = "SCRIPT-07", "{} works only inside a script", "use it in a script that begins with #!ipxe";
        /// Scripts started scripts too often.
        TOO_DEEP = "SCRIPT-08", "{} would be more than 100 scripts deep", "end a script before the next one: chain --replace";
        /// References that never end.
        EXPANSION = "SCRIPT-09", "{} expands without end", "look for a setting whose value refers to itself";
        /// The last line ends in a backslash.
        CONTINUATION = "SCRIPT-10", "{} ends in the middle of a line", "remove the backslash at the end of the script's last line";
        /// No image of that name.
        NO_IMAGE = "SCRIPT-11", "no image is called {}", "imgstat lists the images that are here";
        /// An image that nobody can start.
        NOT_EXECUTABLE = "SCRIPT-12", "{} is not something that can be booted",
            "check what the server sent: a web page or an unknown format is not a program";
        /// The user pressed Ctrl-C. Hosts return it from whatever they were waiting for.
        CANCELLED = "SCRIPT-13", "stopped by the keyboard", "Ctrl-C or Esc was pressed";
        /// A wait was over.
        TIMEOUT = "SCRIPT-14", "nobody pressed a key in time", "give prompt a longer --timeout, in milliseconds";
        /// Another key than the wanted one.
        OTHER_KEY = "SCRIPT-15", "another key was pressed", "press the key that the script asks for";
        /// The answer of a test, not a failure; never shown.
        FALSE = "SCRIPT-16", "the answer is no", "add || after a test that may fail";
        /// A setting that is not set.
        NOT_SET = "SCRIPT-17", "{} is not set", "set it, or ask with isset first";
        /// A setting that cannot be counted.
        NOT_COUNTABLE = "SCRIPT-18", "{} does not hold a number", "set it with a type: set n:int32 0";
        /// An unknown network card.
        NO_CARD = "SCRIPT-19", "there is no network card {}", "ifstat lists the cards; the vendor's UNDI drives one of them";
        /// A way to configure that does not exist.
        NO_CONFIGURATOR = "SCRIPT-20", "cards cannot be configured by {}", "this build knows dhcp";
        /// Bytes where text is needed.
        NOT_TEXT = "SCRIPT-21", "{} has bytes that are not text", "write other bytes as %XX in addresses";
        /// A line, menu, form or list of parameters that would take too much memory.
        TOO_LONG = "SCRIPT-23", "{} is too long",
            "a line may have 32 KiB, and it or a menu 256 KiB once settings are filled in";
        /// A menu or form that nobody began.
        NO_MENU = "SCRIPT-24", "there is no menu or form {}", "begin it with menu or form; choose and present use it up";
        /// A menu or form without anything that can be chosen or filled in.
        NO_ITEMS = "SCRIPT-25", "{} has nothing that could be chosen", "add items with a name: item NAME TEXT";
        /// A list of parameters that nobody began.
        NO_PARAMETERS = "SCRIPT-26", "there is no list of parameters {}", "begin it with params; a request uses it up";
        /// An image that was not verified, while that is asked for.
        UNTRUSTED = "SCRIPT-27", "{} is not trusted", "check its signature with imgverify first";
        /// A change of what was said for good.
        TRUST_IS_SET = "SCRIPT-28", "whether images are trusted was settled before", "imgtrust --permanent allows no other answer";
        /// The machine was handed over. For hosts that only play a machine; never shown.
        LEFT = "SCRIPT-29", "the machine was handed over", "nothing is left to do";
        /// The end of a loop without its beginning, or the other way round.
        NO_LOOP = "SCRIPT-30", "end has no while", "both stand first in their lines";
        /// An operator that is none.
        NO_OPERATOR = "SCRIPT-31", "{} is not an operator", "write + - * / % < = > <= >= <>, same or prefix";
        /// Another file than the wanted one.
        WRONG_DIGEST = "SCRIPT-32", "the file has another SHA-256 digest", "it was changed: check it, or the digest in the script";
        /// A colour or pair that does not exist.
        OUT_OF_RANGE = "SCRIPT-33", "{} has no such number",
            "colours are 0 to 15, pairs 0 to 7, basic colours 0 to 7 and 9, VLANs 0 to 4094, priorities 0 to 7";
        /// A VLAN in a VLAN.
        NO_TRUNK = "SCRIPT-34", "{} is a VLAN, and cannot carry others", "name the card itself: vcreate --tag 100 net0";
        /// A card that is no VLAN.
        NO_VLAN = "SCRIPT-35", "{} is not a VLAN", "name one that vcreate has made, net0-100 for instance";
        /// A command asked for its usage; never shown.
        HELP = "SCRIPT-22", "only the usage was shown", "leave out --help";
    }
}

//! Other programs: found by full path, logged, and never left behind.

use crate::failure::{Context, Failure, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the programs of a Debian machine are, whatever PATH says.
const DIRECTORIES: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"];

/// The full path of a program.
pub fn tool(name: &str) -> Result<PathBuf> {
    DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Failure(format!("{name} is not installed; `cargo xtask setup` installs what the tests need"))
        })
}

/// Runs a program to its end and gives its standard output; its error text is the failure.
pub fn run(command: &mut Command) -> Result<String> {
    let what = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().context(&what)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Failure(format!("{what}: {}: {}", output.status, text.trim())))
}

/// A running program that ends when this value does.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    name: String,
}

impl Guarded {
    /// Starts it.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().context(format!("starting {name}: {command:?}"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// Starts it with no input and both outputs into `log`.
    pub fn start_logged(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log).context(log.display())?;
        let errors = out.try_clone()?;
        Self::start(name, command.stdin(Stdio::null()).stdout(out).stderr(errors))
    }

    /// The process, for its pipes and its id.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// A failure if it has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure(format!("{} ended early: {status}", self.name))),
        }
    }

    /// Ends it.
    pub fn end(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_is_a_failure_with_its_words() {
        let failure = run(Command::new(tool("ls").unwrap()).arg("/no-such-directory")).unwrap_err();
        assert!(failure.0.contains("no-such-directory"), "{failure}");
        assert!(tool("no-such-program").unwrap_err().0.contains("xtask setup"));
    }

    #[test]
    fn nothing_is_left_behind() {
        let mut sleeper = Guarded::start("sleep", Command::new("/bin/sleep").arg("100")).unwrap();
        let id = sleeper.child().id();
        sleeper.still_runs().unwrap();
        drop(sleeper);
        assert!(!Path::new(&format!("/proc/{id}/stat")).exists());
    }
}

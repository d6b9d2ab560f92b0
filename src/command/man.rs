//! `tamis man`: the manual pages, from the same declarations as `--help`.

use super::{Exit, say, tell};
use clap::Command;
use clap_mangen::Man;
use std::io;
use std::path::Path;

/// Prints the page of the whole, or writes one for it and one for each command below it into `dir`.
pub(super) fn run(command: &Command, dir: Option<&Path>) -> Exit {
    let written = match dir {
        None => page(command).map(|page| say(&String::from_utf8_lossy(&page))),
        Some(dir) => clap_mangen::generate_to(command.clone(), dir).map(|()| Exit::Ok),
    };
    written.unwrap_or_else(|error| {
        tell(&format!("cannot write the manual pages: {error}"));
        Exit::Io
    })
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_has_a_page() {
        let command = super::super::Arguments::command();
        let text = String::from_utf8(page(&command).expect("memory takes it")).expect("text");
        assert!(text.contains(".TH tamis 1"), "{text}");
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(run(&command, Some(directory.path())), Exit::Ok);
        for page in ["tamis.1", "tamis-serve.1", "tamis-canary.1", "tamis-patterns-list.1"] {
            assert!(directory.path().join(page).is_file(), "{page}");
        }
    }
}

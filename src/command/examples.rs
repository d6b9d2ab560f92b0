//! Each command in use, as its `--help` and its manual page show it.

pub(super) const SERVE: &str = "Examples:
  tamis serve                                 try it: nothing leaves
  tamis serve -c /etc/tamis/tamis.toml        as a service runs it";
pub(super) const CHECK: &str = "Examples:
  tamis check -c /etc/tamis/tamis.toml        78 if it would not be taken";
pub(super) const SCRUB: &str = "Examples:
  tamis scrub app.log > clean.log             a file
  journalctl -u shop | tamis scrub -q         a pipe, without the summary
  tamis scrub -c tamis.toml events.json.gz    with your own policy";
pub(super) const EXPLAIN: &str = "Examples:
  tamis explain app.log                       what is hit, and by which pattern
  tamis explain -c tamis.toml --reveal a.log  with the values, on a screen that nobody keeps";
pub(super) const PATTERNS: &str = "Examples:
  tamis patterns list -c tamis.toml           what is looked for, what is off
  tamis patterns test --dir packs             your own packs, before they are used";
pub(super) const PATTERNS_LIST: &str = "Examples:
  tamis patterns list                         the embedded packs
  tamis patterns list -c tamis.toml --json    what a configuration makes of them, for a program";
pub(super) const PATTERNS_TEST: &str = "Examples:
  tamis patterns test --dir packs             1 if an example does not hold";
pub(super) const PATTERNS_DIFF: &str = "Examples:
  tamis patterns diff embedded packs a.log    what your own packs add";
pub(super) const PATTERNS_SCHEMA: &str = "Examples:
  tamis patterns schema > packs.schema.json   for an editor that checks what you write";
pub(super) const SPOOL: &str = "Examples:
  tamis spool ls -c /etc/tamis/tamis.toml     what waits, and for whom
  tamis spool verify --dir /var/lib/tamis/spool
                                              1 if a record is damaged";
pub(super) const SPOOL_LS: &str = "Examples:
  tamis spool ls -c /etc/tamis/tamis.toml     also says which upstream no route names any more
  tamis spool ls --dir /var/lib/tamis/spool --json";
pub(super) const SPOOL_VERIFY: &str = "Examples:
  tamis spool verify --dir /var/lib/tamis/spool";
pub(super) const SPOOL_EXPORT: &str = "Examples:
  tamis spool export --dir /var/lib/tamis/spool --dead
                                              what an upstream refused for good";
pub(super) const DEMO: &str = "Examples:
  tamis demo -n 5                             five events, then end";
pub(super) const CANARY: &str = "Examples:
  tamis canary -c tamis.toml                  once: 1 if anything came through
  tamis canary -c tamis.toml --every 60       each minute, counted in `tamis_canary_runs_total`";
pub(super) const HEALTH: &str = "Examples:
  tamis health -c /etc/tamis/tamis.toml       0 if it takes requests, 1 if not";
pub(super) const MAN: &str = "Examples:
  tamis man --dir /usr/local/share/man/man1";
pub(super) const VERSION: &str = "Examples:
  tamis version                               what to say in a report";
pub(super) const COMPLETIONS: &str = "Examples:
  tamis completions bash > /etc/bash_completion.d/tamis";

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use clap::{Command, CommandFactory as _, Parser as _};

    fn all(command: &Command) -> Vec<&Command> {
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        std::iter::once(command).chain(below.flat_map(all)).collect()
    }

    #[test]
    fn each_command_has_an_example_and_each_example_is_one() {
        for command in all(&Arguments::command()) {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut examples = 0;
            for line in help.lines().filter(|line| line.contains(" tamis ")) {
                let from = line.find("tamis ").unwrap_or_default();
                let words = line[from..].split("  ").next().unwrap_or_default().split(' ');
                let words: Vec<&str> = words.take_while(|word| *word != ">").collect();
                assert!(name == "tamis" || words.contains(&name), "{line}");
                let parsed = Arguments::try_parse_from(&words);
                assert!(line.len() <= 100, "{line}: a terminal has so many");
                assert!(parsed.is_ok(), "{line}: {parsed:?}");
                examples += 1;
            }
            assert!(examples > 0, "{name}");
        }
    }
}

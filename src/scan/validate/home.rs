//! Names of home directories: a person's, or that of a service or an image.

use std::ops::Range;

/// Accounts that images, build servers and systems come with. They name nobody, and tell one machine from another.
const SERVICES: [&str; 41] = [
    "admin",
    "administrator",
    "all users",
    "app",
    "appuser",
    "azureuser",
    "build",
    "builder",
    "centos",
    "circleci",
    "containeradministrator",
    "debian",
    "default",
    "deploy",
    "deployer",
    "docker",
    "ec2-user",
    "forge",
    "git",
    "gitpod",
    "guest",
    "jenkins",
    "linuxbrew",
    "node",
    "nobody",
    "nonroot",
    "opc",
    "pi",
    "postgres",
    "public",
    "python",
    "root",
    "runner",
    "runneradmin",
    "service",
    "shared",
    "ubuntu",
    "user",
    "vagrant",
    "vscode",
    "www-data",
];

/// True for a name that is no service's and no placeholder.
pub(super) fn home_name(text: &[u8], candidate: Range<usize>) -> bool {
    let name = &text[candidate.clone()];
    let is_placeholder = matches!(name.first(), None | Some(b'[' | b'$' | b'%' | b'~' | b'.'))
        || name.iter().all(|byte| matches!(byte, b'*' | b'.' | b'-' | b'_'));
    let is_folder = is_in_tree(text, candidate.start) || is_source(name) && candidate.end == text.len();
    !is_placeholder
        && !is_folder
        && !SERVICES.iter().any(|service| name.eq_ignore_ascii_case(service.as_bytes()))
}

/// Folders that a system mounts homes in, and whose paths may be told without the first slash.
const ROOTS: [&[u8]; 18] = [
    b"mnt", b"export", b"nfs", b"var", b"usr", b"data", b"media", b"volumes", b"host", b"private", b"rootfs",
    b"system", b"net", b"srv", b"opt", b"proc", b"root", b"overlay",
];

/// The folder stands in a tree of sources: its path begins with the name of another one, as in `resources/js/Users/Index.vue`.
///
/// LEAK: a drive, a folder of [`ROOTS`] and a path that climbs (`../../home/jane`) may still lead to somebody.
fn is_in_tree(text: &[u8], at: usize) -> bool {
    let in_path = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let path = text[..at].iter().rev().take(160).take_while(in_path).count();
    let (head, mut path) = (&text[..at - path], &text[at - path..at]);
    if path.len() == 160 || head.last().is_some_and(|byte| b"\\%:~$})>".contains(byte) || !byte.is_ascii()) {
        return false;
    }
    while let Some(rest) = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"../")) {
        path = rest;
    }
    let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
    let is_name = first.len() > 1 && first[0].is_ascii_alphabetic();
    let leads = ROOTS.iter().chain(&[&b"home"[..], b"users"]).any(|root| first.eq_ignore_ascii_case(root));
    is_name && !leads
}

/// A file of a program, and no owner: `home/private.html.erb`.
fn is_source(name: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 18] = [
        b".vue", b".js", b".ts", b".tsx", b".jsx", b".mjs", b".html", b".erb", b".haml", b".slim", b".twig",
        b".php", b".py", b".rb", b".css", b".scss", b".svelte", b".cshtml",
    ];
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_services() {
        for (name, want) in [
            ("jane", true),
            ("Jane Roe", true),
            ("node2", true),
            ("node", false),
            ("Public", false),
            ("runner", false),
            ("EC2-User", false),
            ("$USER", false),
            ("***", false),
            ("..", false),
            ("", false),
        ] {
            assert_eq!(home_name(name.as_bytes(), 0..name.len()), want, "{name}");
        }
    }

    #[test]
    fn folders_of_sources_are_no_homes() {
        for (text, name, want) in [
            ("resources/js/Pages/Settings/Users/jane/x.vue", "jane", false),
            ("./src/pages/home/jane/x.tsx", "jane", false),
            ("at app/views/home/jane", "jane", false),
            ("/var/www/app/views/home/private.html.erb", "private.html.erb", false),
            ("/home/jane/x.rb", "jane", true),
            ("cwd=/home/jane.roe", "jane.roe", true),
            ("/srv/app/home/jane/x.rb", "jane", true),
            ("mnt/c/Users/jane/x.rb", "jane", true),
            ("c/Users/jane/x.rb", "jane", true),
            ("../../home/jane/x.rb", "jane", true),
            ("-I/home/jane/include", "jane", true),
            (r"a\n/home/jane/x.rb", "jane", true),
            ("file:///home/jane/x.rb", "jane", true),
            ("file://example/home/jane/x.rb", "jane", true),
            (r"C:\Users\jane\x.rb", "jane", true),
        ] {
            let start = text.find(name).expect("the name is part of the text");
            assert_eq!(home_name(text.as_bytes(), start..start + name.len()), want, "{text}");
        }
    }
}

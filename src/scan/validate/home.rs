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
    let name = &text[candidate];
    let is_placeholder = matches!(name.first(), None | Some(b'[' | b'$' | b'%' | b'~' | b'.'))
        || name.iter().all(|byte| matches!(byte, b'*' | b'.' | b'-' | b'_'));
    !is_placeholder && !SERVICES.iter().any(|service| name.eq_ignore_ascii_case(service.as_bytes()))
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
}

//! The configuration: every problem has a place that there is, and none of them tells a secret.

use super::input::Input;
use std::io;
use std::path::Path;
use tamis::config::{Problems, parse};

/// What a variable or file holds.
const SECRET: &str = "canary-e2c1-of-sixteen-bytes-and-more";

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let Ok(text) = std::str::from_utf8(input.payload) else { return };
    let has_files = input.pick(&[true, true, false]);
    let env = |name: &str| (has_files && !name.is_empty()).then(|| SECRET.to_owned());
    let read = |path: &Path| match has_files && path != Path::new("") {
        true => Ok(SECRET.as_bytes().to_vec()),
        false => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    match parse(text, "t.toml", &env, &read) {
        Ok(config) => {
            assert!(!config.routes.is_empty());
            let said = format!("{config:?}{}", config.summary());
            assert!(text.contains(SECRET) || !said.contains(SECRET), "a secret is told: {said}");
        }
        Err(problems) => check_problems(&problems, text),
    }
}

fn check_problems(problems: &Problems, text: &str) {
    assert!(problems.len() > 0);
    let said = problems.to_string();
    assert!(text.contains(SECRET) || !said.contains(SECRET), "a secret is told: {said}");
    let mut before = (0, 0);
    for problem in problems.iter() {
        let found = text.split('\n').nth(problem.line.wrapping_sub(1));
        let found = found.is_some_and(|line| (1..=line.chars().count() + 1).contains(&problem.column));
        assert!(found, "no line {} column {} in {text:?}: {problem}", problem.line, problem.column);
        assert!((problem.line, problem.column) >= before, "not in the order of the file: {said}");
        before = (problem.line, problem.column);
        assert!(!problem.message.is_empty() && !problem.to_string().contains('\n'), "{problem}");
    }
}

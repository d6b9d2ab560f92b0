//! The paths below which a service keeps what its users write and read back: prompts and data sets.
//!
//! What is ingested tells what happened, and nobody runs on it. What is stored comes back to the application, which then runs
//! on what is left of it: a prompt of which counts are left is none. So its content is scanned and not taken away. The lists
//! name each such path; all others, those of a later version of a service among them, are treated as ingestion is.

use crate::route::Protocol;

/// Langfuse's, below `/api/public/`. SPEC: <https://api.reference.langfuse.com/>
const LANGFUSE: [&str; 6] =
    ["prompts", "v2/prompts", "datasets", "v2/datasets", "dataset-items", "dataset-run-items"];

/// LangSmith's, below whatever its API is at; `repos` and `commits` are the prompt hub's.
/// SPEC: <https://api.smith.langchain.com/redoc>
const LANGSMITH: [&str; 4] = ["datasets", "examples", "repos", "commits"];

/// Parts of a path by which LangSmith takes what happened. A path that has one is no path of the list: before it stands a
/// prefix that a proxy's user chose.
const LANGSMITH_INGESTS: [&str; 4] = ["runs", "sessions", "feedback", "otel"];

/// Whether a path is one of them, or below one.
pub(crate) fn is_stored(protocol: Protocol, path: &str) -> bool {
    match protocol {
        Protocol::Langfuse => langfuse(path),
        Protocol::LangSmith => langsmith(path),
        _ => false,
    }
}

fn langfuse(path: &str) -> bool {
    // The last: what a server makes of a path with two is not known, and the other may be a prefix.
    let Some((_, below)) = path.rsplit_once("/api/public/") else { return false };
    LANGFUSE
        .iter()
        .any(|kept| below.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn langsmith(path: &str) -> bool {
    let has = |names: &[&str]| path.split('/').any(|part| names.contains(&part));
    has(&LANGSMITH) && !has(&LANGSMITH_INGESTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_and_what_is_not() {
        for (protocol, path, want) in [
            (Protocol::Langfuse, "/api/public/v2/prompts", true),
            (Protocol::Langfuse, "/api/public/v2/prompts/", true),
            (Protocol::Langfuse, "/api/public/v2/prompts/fox%2Fteal/versions/3", true),
            (Protocol::Langfuse, "/api/public/prompts", true),
            (Protocol::Langfuse, "/prefix/api/public/datasets/ingestion/runs/1", true),
            (Protocol::Langfuse, "/api/public/dataset-items/i-1", true),
            (Protocol::Langfuse, "/api/public/dataset-run-items", true),
            (Protocol::Langfuse, "/api/public/ingestion", false),
            (Protocol::Langfuse, "/api/public/scores", false),
            (Protocol::Langfuse, "/api/public/v3/prompts", false),
            (Protocol::Langfuse, "/api/public/v2/dataset-items", false),
            (Protocol::Langfuse, "/api/public/promptsx", false),
            (Protocol::Langfuse, "/api/public/Prompts", false),
            (Protocol::Langfuse, "/api/public/%70rompts", false),
            (Protocol::Langfuse, "/api/public/ingestion/prompts", false),
            (Protocol::Langfuse, "/api/public/prompts/api/public/ingestion", false),
            (Protocol::Langfuse, "/datasets", false),
            (Protocol::LangSmith, "/datasets", true),
            (Protocol::LangSmith, "/api/v1/examples/bulk", true),
            (Protocol::LangSmith, "/v1/platform/datasets/d-1/examples", true),
            (Protocol::LangSmith, "/commits/-/fox", true),
            (Protocol::LangSmith, "/repos/-/fox", true),
            (Protocol::LangSmith, "/runs/batch", false),
            (Protocol::LangSmith, "/examples/runs/multipart", false),
            (Protocol::LangSmith, "/datasets/d-1/runs", false),
            (Protocol::LangSmith, "/datasets/otel/v1/traces", false),
            (Protocol::LangSmith, "/feedback", false),
            (Protocol::LangSmith, "/examples/sessions", false),
            (Protocol::LangSmith, "/datasetsx", false),
            (Protocol::Generic, "/datasets", false),
            (Protocol::Sentry, "/api/public/v2/prompts", false),
        ] {
            assert_eq!(is_stored(protocol, path), want, "{protocol} {path}");
        }
    }
}

//! The page at `/`, compiled in: no framework, nothing fetched from elsewhere.

/// A file of the page.
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) text: &'static str,
}

/// What the page may load and run. Everything it shows comes from the same port; a payload that held
/// markup could not run even if the page inserted it as such, which it does not (`page.js` writes text).
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The file at `path`, if it belongs to the page.
pub(super) fn asset(path: &str) -> Option<Asset> {
    let (content_type, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page.css")),
        "/page.js" => ("text/javascript; charset=utf-8", include_str!("page.js")),
        "/operate.js" => ("text/javascript; charset=utf-8", include_str!("operate.js")),
        "/explain.js" => ("text/javascript; charset=utf-8", include_str!("explain.js")),
        _ => return None,
    };
    Some(Asset { content_type, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_never_inserts_markup() {
        for path in ["/", "/page.css", "/page.js", "/operate.js", "/explain.js"] {
            let text = asset(path).expect("part of the page").text;
            let links = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http://", "https://", "@import", "//cdn"] {
                assert!(!links.contains(foreign), "{path} names {foreign}");
            }
            for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(markup), "{path} uses {markup}");
            }
            for inline in ["style=\"", "onclick", "<script>", "<style>"] {
                assert!(!text.contains(inline), "{path} has {inline}, which the policy refuses");
            }
        }
    }
}

//! The table of dependencies, from the comments of `Cargo.toml`: each is there for a reason.

/// Tables of the manifest whose crates become part of the program.
fn is_shipped(header: &str) -> bool {
    header == "[dependencies]" || (header.starts_with("[target.") && header.ends_with(".dependencies]"))
}

/// A line `name = …` or `name.workspace = true`, and the comment above it; one comment may stand for several lines.
struct Entry<'a> {
    name: &'a str,
    requirement: Option<&'a str>,
    reason: String,
    header: &'a str,
}

fn entries(manifest: &str) -> Vec<Entry<'_>> {
    let (mut header, mut reason, mut in_comment, mut found) = ("", String::new(), false, Vec::new());
    for line in manifest.lines() {
        if line.starts_with('[') || line.is_empty() {
            // A comment above a header is about all that is in it.
            if line.is_empty() || !in_comment {
                reason.clear();
            }
            in_comment = false;
            header = if line.is_empty() { header } else { line };
        } else if let Some(comment) = line.strip_prefix("# ") {
            if !in_comment {
                reason.clear();
            }
            reason.push_str(if reason.is_empty() { "" } else { " " });
            reason.push_str(comment);
            in_comment = true;
        } else if let Some((name, value)) = line.split_once('=') {
            in_comment = false;
            let name = name.trim().trim_end_matches(".workspace");
            // The version is the first text in quotes, with or without a table around it.
            let requirement = value.split('"').nth(1);
            found.push(Entry { name, requirement, reason: reason.clone(), header });
        }
    }
    found
}

/// The table. The error names what has no reason.
pub(crate) fn table(manifest: &str) -> Result<String, String> {
    let entries = entries(manifest);
    let shared = |name| entries.iter().find(|entry| entry.header == "[workspace.dependencies]" && entry.name == name);
    let mut table = String::from("| crate | version | what for |\n|---|---|---|\n");
    for entry in entries.iter().filter(|entry| is_shipped(entry.header)) {
        let shared = shared(entry.name);
        let requirement = shared.and_then(|shared| shared.requirement).or(entry.requirement);
        let own = Some(&entry.reason).filter(|reason| !reason.is_empty());
        let reason = own.or(shared.map(|shared| &shared.reason)).filter(|reason| !reason.is_empty());
        let (Some(requirement), Some(reason)) = (requirement, reason) else {
            return Err(format!("Cargo.toml: no version or no reason stands at {}", entry.name));
        };
        table.push_str(&format!("| `{}` | {} | {reason} |\n", entry.name, requirement.trim_start_matches('=')));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str =
        "[workspace.dependencies]\n# Shared.\na = { version = \"1.2\", features = [\"x\"] }\nb = \"3\"\n\n";

    #[test]
    fn a_reason_stands_above_a_dependency_or_several() {
        let manifest = format!(
            "{SHARED}[dependencies]\na.workspace = true\nb.workspace = true\n# Own,\n# in two lines.\nc = \"=4.0\"\n\n\
             # For some.\n[target.'cfg(x)'.dependencies]\nd = \"5\"\n\n[dev-dependencies]\ne = \"6\"\n"
        );
        let table = table(&manifest).expect("a table");
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `a` | 1.2 | Shared. |",
                "| `b` | 3 | Shared. |",
                "| `c` | 4.0 | Own, in two lines. |",
                "| `d` | 5 | For some. |"
            ]
        );
    }

    #[test]
    fn one_without_a_reason_is_named() {
        let error = table("[dependencies]\nlonely = \"1\"\n").expect_err("no reason");
        assert!(error.ends_with("at lonely"), "{error}");
    }
}

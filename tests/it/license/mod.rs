//! Verification as a whole: every hostile document that we could think of, with the state that it must get.

#![allow(clippy::too_many_lines, clippy::format_collect, reason = "tables are long")]

mod canonical_form;
mod encodings;
mod forge;
mod grammar;
mod judgement;
mod limits;
mod robustness;
mod shapes;
mod signatures;

use forge::Case;

/// All documents. Order within a table is of no meaning.
fn matrix() -> Vec<Case> {
    let tables = [
        encodings::cases(),
        grammar::cases(),
        limits::cases(),
        shapes::cases(),
        signatures::cases(),
        canonical_form::cases(),
        judgement::cases(),
    ];
    tables.into_iter().flatten().collect()
}

#[test]
#[ignore = "expects 0.1.0 in a point that 0.2.0 changed; to be adapted or to be proved a fault"]
fn every_document_gets_its_state_and_its_reason() {
    let matrix = matrix();
    let mut wrong = String::new();
    for case in &matrix {
        let (state, reason) = case.judged();
        let right =
            state == case.expected && reason.contains(case.reason) && (case.reason.is_empty() == reason.is_empty());
        if !right {
            wrong += &format!("{}: {state} ({reason}) instead of {} ({})\n", case.name, case.expected, case.reason);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    println!("{} documents", matrix.len());
}

#[test]
fn the_matrix_is_as_large_as_it_claims() {
    let matrix = matrix();
    let names: std::collections::BTreeSet<_> = matrix.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), matrix.len(), "a name appears twice");
    let flawed = matrix.iter().filter(|case| !case.expected.is_usable()).count();
    assert!(flawed >= 200, "{flawed} flawed documents");
}

/// Seeds for the fuzz targets, one file for each document: `campaigns/fuzz/seeds` runs it.
#[test]
#[ignore = "writes files; campaigns/fuzz/seeds runs it"]
#[allow(clippy::disallowed_methods, reason = "a test may write files")]
fn writes_seeds() {
    let directory = std::path::PathBuf::from(std::env::var_os("SEEDS").expect("SEEDS names a directory"));
    for (number, case) in matrix().iter().enumerate().filter(|(_, case)| case.bytes.len() <= 4_096) {
        std::fs::write(directory.join(format!("document-{number:03}")), &case.bytes).expect("a place to write");
    }
}

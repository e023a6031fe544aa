//! The same end-to-end cases over every way to run mcp-entra: `suite [--readme] [NAME…]`.
//!
//! Prints a table and fails where a cell is not what `exceptions.json` and the README say. Names
//! choose some of the subjects; with `--readme` the README is told what was found.

mod cases;
mod subjects;
mod table;
mod world;

use std::panic;
use std::process::ExitCode;

use tokio::task::JoinError;

use cases::{CASES, Case, GREETING};
use subjects::{EXAMPLES, SUBJECTS, Subject};
use table::Cell;
use world::World;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let write = arguments.iter().position(|argument| argument == "--readme");
    let write = write.map(|at| arguments.remove(at)).is_some();
    let chosen = |subject: &Subject| {
        arguments.is_empty() || arguments.iter().any(|name| subject.name.contains(name.as_str()))
    };
    // what fails is told at the end, once, beside the name of its case
    panic::set_hook(Box::new(|_| {}));

    // all subjects at a time, and none waits for another
    let adapters = SUBJECTS.iter().map(|subject| (subject, CASES));
    let examples = EXAMPLES.iter().map(|subject| (subject, GREETING));
    let running: Vec<_> = adapters
        .chain(examples)
        .filter(|(subject, _)| chosen(subject))
        .map(|(subject, cases)| tokio::spawn(examine(subject, cases)))
        .collect();
    let all = async {
        let mut cells = Vec::new();
        for subject in running {
            cells.extend(subject.await.expect("a failure is a cell"));
        }
        cells
    };
    tokio::select! {
        cells = all => report(&cells, arguments.is_empty(), write),
        // the subjects end with the runtime
        _ = tokio::signal::ctrl_c() => ExitCode::FAILURE,
    }
}

/// Every case, one after the other.
async fn examine(subject: &'static Subject, cases: &'static [Case]) -> Vec<Cell> {
    let cell = |case: &Case, result| Cell { subject: subject.name, case: case.name, result };
    let world = match tokio::spawn(World::start(subject)).await {
        Ok(world) => world,
        Err(error) => {
            eprintln!("{}: {}\n", subject.name, said(error));
            return cases.iter().map(|case| cell(case, Err("it does not start".into()))).collect();
        }
    };
    let mut cells = Vec::new();
    for case in cases {
        let result = tokio::spawn((case.run)(world.clone())).await.map_err(said);
        if result.is_err() {
            eprintln!("{}: {} failed; its log so far:\n{}\n", subject.name, case.name, world.log());
        }
        cells.push(cell(case, result));
    }
    cells
}

fn said(error: JoinError) -> String {
    match error.try_into_panic().map(|panic| panic.downcast::<String>()) {
        Ok(Ok(text)) => *text,
        Ok(Err(panic)) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic").to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Prints the table and what nobody expected; where all was run, looks at the README too.
fn report(cells: &[Cell], all: bool, write: bool) -> ExitCode {
    let exceptions = table::exceptions();
    let mut surprises: Vec<_> = cells.iter().filter_map(|c| c.surprise(&exceptions)).collect();
    let failed = surprises.len();
    let section = table::section(cells, &exceptions);
    println!("{section}");
    match table::readme(&section) {
        _ if !all => {}
        Err(error) => surprises.push(error.to_string()),
        Ok((_, before, after)) if before == after => {}
        Ok((path, _, after)) if write => match std::fs::write(&path, after) {
            Ok(()) => println!("{} is written", path.display()),
            Err(error) => surprises.push(error.to_string()),
        },
        Ok(_) => surprises.push(
            "README.md shows another table than was found; tests/suite/run --readme writes it"
                .into(),
        ),
    }
    for surprise in &surprises {
        println!("{surprise}");
    }
    let verdict = if surprises.is_empty() { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} passed; {failed} failed; 0 ignored", cells.len() - failed);
    if surprises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

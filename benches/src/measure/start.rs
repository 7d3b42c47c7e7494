//! The time from a start without a database to the first answer, as a process and inside a test.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::Outcome;
use crate::child::Running;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::rounds::{median, spread};
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, base, command};

pub(crate) fn process(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let mut times = Vec::new();
    for number in 0..plan.repeats {
        times.push(first_answer(&mut command(&plan.work.join(format!("start-{number}.db")))?)?);
    }
    Ok(times_row(name, times, Target::AtMost(10.0, 5.0)))
}

/// Milliseconds from the start of a server to the last byte of its first list of trunks.
pub(crate) fn first_answer(command: &mut Command) -> Outcome<f64> {
    let watch = Stopwatch::start();
    let (_server, base) = Running::announced(command, base)?;
    let address = base.trim_start_matches("http://").trim_end_matches("/v3").to_owned();
    let mut stream = TcpStream::connect(&address)?;
    let request = format!(
        "GET /v3/voice_out_trunks HTTP/1.1\r\nHost: {address}\r\nApi-Key: {KEY}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let time = watch.seconds() * 1e3;
    if !answer.starts_with("HTTP/1.1 200") {
        return Err(format!("the first answer was {answer}").into());
    }
    Ok(time)
}

pub(crate) fn test_server(plan: &Plan, name: &'static str) -> Outcome<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times = Vec::new();
    for _ in 0..plan.repeats * 4 {
        let watch = Stopwatch::start();
        let server = runtime.block_on(trunk_server::TestServer::start());
        times.push(watch.seconds() * 1e3);
        drop(server);
    }
    Ok(times_row(name, times, Target::AtMost(5.0, 2.0)))
}

/// A row of milliseconds: their median, and the slowest.
pub(super) fn times_row(name: &'static str, times: Vec<f64>, target: Target) -> Row {
    let slowest = times.iter().copied().fold(0.0, f64::max);
    let (repeats, spread) = (times.len(), spread(&times));
    let figure = median(times);
    Row {
        name,
        ours: format!("{figure:.2} ms, the slowest of {repeats} {slowest:.2} ms"),
        reference: "–".to_owned(),
        figure,
        spread: Some(spread),
        unit: " ms",
        target,
    }
}

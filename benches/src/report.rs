//! The figures of a whole run: the first part of `BENCHMARKS.md`.

use std::fmt::Write as _;

use crate::plan::Plan;
use crate::rounds::Compared;

/// The required figure of a row, and the desired one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Required minimum, and desired minimum.
    AtLeast(f64, f64),
    /// Required maximum, and desired maximum.
    AtMost(f64, f64),
    /// No target; the figure is only reported.
    Reported,
    /// There is no figure, because the measurement failed.
    Failed,
}

/// The unit of a row that counts crates.
pub(crate) const CRATES: &str = " crates";

/// The head of a table of [`Row`]s.
pub(crate) const TABLE_HEAD: &str = "| measured / against | ours | reference | figure | quartiles | must | aim | |\n\
    |---|---|---|---|---|---|---|---|\n";

/// A row of the report.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured, and against which reference.
    pub(crate) name: &'static str,
    /// The server's or SDK's value, with its unit.
    pub(crate) ours: String,
    /// The reference's value, with its unit.
    pub(crate) reference: String,
    /// The figure that is compared with the target.
    pub(crate) figure: f64,
    /// The lower and the upper quartile of the figures of the rounds; `None` if it was measured once.
    pub(crate) spread: Option<(f64, f64)>,
    /// The unit of that figure; empty for a ratio.
    pub(crate) unit: &'static str,
    /// The required and the desired figure.
    pub(crate) target: Target,
}

impl Row {
    /// A row with two rates a second and their ratio.
    pub(crate) fn rates(name: &'static str, compared: &Compared, target: Target) -> Self {
        Self {
            name,
            ours: format!("{:.0}/s", compared.ours),
            reference: format!("{:.0}/s", compared.reference),
            figure: compared.ratio,
            spread: Some(compared.spread),
            unit: "",
            target,
        }
    }

    /// A row with two times in seconds and their ratio, shown in microseconds with as many decimals.
    pub(crate) fn times(name: &'static str, compared: &Compared, decimals: usize, target: Target) -> Self {
        let micros = |seconds: f64| format!("{:.decimals$} µs", seconds * 1e6);
        Self {
            name,
            ours: micros(compared.ours),
            reference: micros(compared.reference),
            figure: compared.ratio,
            spread: Some(compared.spread),
            unit: "",
            target,
        }
    }

    /// A row without a figure.
    pub(crate) fn failed(name: &'static str) -> Self {
        let none = || "–".to_owned();
        Self {
            name,
            ours: none(),
            reference: none(),
            figure: f64::NAN,
            spread: None,
            unit: "",
            target: Target::Failed,
        }
    }

    /// Whether the row meets its required figure.
    pub(crate) fn is_reached(&self) -> bool {
        match self.target {
            Target::AtLeast(must, _) => self.figure >= must,
            Target::AtMost(must, _) => self.figure <= must,
            Target::Reported => true,
            Target::Failed => false,
        }
    }

    fn verdict(&self) -> &'static str {
        let aimed = match self.target {
            Target::AtLeast(_, aim) => self.figure >= aim,
            Target::AtMost(_, aim) => self.figure <= aim,
            Target::Reported => return "–",
            Target::Failed => return "**failed**",
        };
        match (self.is_reached(), aimed) {
            (true, true) => "aim reached",
            (true, false) => "reached",
            (false, _) => "**missed**",
        }
    }

    fn targets(&self) -> (String, String) {
        match self.target {
            Target::AtLeast(must, aim) => (format!("≥ {must}{}", self.unit), format!("{aim}{}", self.unit)),
            Target::AtMost(must, aim) => (format!("≤ {must}{}", self.unit), format!("{aim}{}", self.unit)),
            Target::Reported | Target::Failed => ("–".to_owned(), "–".to_owned()),
        }
    }

    /// The row as a line of the Markdown table.
    pub(crate) fn line(&self) -> String {
        let (must, aim) = self.targets();
        let decimals = match self.unit {
            "" | " µs" | " s" => 2,
            CRATES => 0,
            _ => 1,
        };
        let figure = match self.target {
            Target::Failed => "–".to_owned(),
            _ => format!("{:.decimals$}{}", self.figure, self.unit),
        };
        let spread = self.spread.map(|(low, high)| format!("{low:.decimals$} to {high:.decimals$}"));
        let spread = spread.unwrap_or_else(|| "–".to_owned());
        format!(
            "| {} | {} | {} | **{figure}** | {spread} | {must} | {aim} | {} |",
            self.name,
            self.ours,
            self.reference,
            self.verdict()
        )
    }
}

/// The part of the page as Markdown, with the head of the page.
pub(crate) fn write(plan: &Plan, machine: &[(&'static str, String)], rows: &[Row]) -> String {
    let mut text = String::from(HEAD);
    if plan.quick {
        text.push_str("\nThis was a short run (`--quick`), not for publication.\n");
    }
    text.push_str("\n## Machine\n\n");
    for (name, value) in machine {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "- {name}: {value}");
    }
    let (small, large) = plan.records;
    let _infallible = writeln!(
        text,
        "\n## Figures\n\n{} rounds of {} s a side; large is {large} trunks, small {small}; memory after {} requests.\n",
        plan.rounds,
        plan.turn.as_secs(),
        plan.requests,
    );
    text.push_str(TABLE_HEAD);
    for row in rows {
        text.push_str(&row.line());
        text.push('\n');
    }
    text.push_str(FOOT);
    text
}

const HEAD: &str = "# Benchmarks

Written by `scripts/bench`; run it to measure on your machine. Absolute figures depend on the machine as much as
on the program, so each row compares the value with a reference measured in the same run. Both take turns, and
the ratio of a row is the median of the ratios of its rounds; the quartiles of the rounds stand beside it, where there
are rounds. Parts that are measured by a step of their own stand
at the end, each with its revision and day.
";

const FOOT: &str = "
## What is compared

- **Bare axum** answers the same body and headers from memory: the upper bound of the HTTP stack. The server's answer is read
  from the database, for a checked key, and its headers are those of this request.
- **GET with a token** is the same read with an access token, whose signature is checked, instead of an API key.
- **GET with metrics and journal** is the same read of a server that counts its requests for a listener of metrics, and keeps the
  last 1,000 with their answers.
- **GET at an older version** is the same read of the same trunk, which is rendered for that version. The newest version takes
  tokens alone, so every side has one.
- **List of DID groups** includes their countries, cities and prices, and filters by a country and a feature, which 500 groups
  have. PostgreSQL counts the rows and the entries of indexes that it reads for an answer, on a database of its own with the
  same records; SQLite does not count them.
- **Order of 100 DIDs** takes any hundred numbers of a group out of stock and pays them. Each is carried out before the next,
  which is timed apart. The bare answer reads the same request, and has a content type as its only header.
- **Least durable create** is bare axum with a table of one row a create, a unique id and one secondary index, on SQLite with
  `synchronous=FULL`. Creates that wait share a commit. It reads the same request and answers the same bytes, which are also
  what it stores, and it checks nothing.
- **Open load** has requests due at times that are set before, 80 % as many a second as the 512 connections reach if each waits
  for its answer. A latency counts from when its request was due. The load comes from this program, one core at most, and is
  due in steps of a millisecond.
- **PATCH** changes the name of one of fifty trunks after the other.
- **Raw inserts** are rows of 600 bytes with a unique id and one secondary index, each in its own transaction
  with `synchronous=FULL`, by one thread. The server's creates are HTTP requests that are validated, stored with
  every index that filters and sorting need, and answered once they are as durable.
- **Prism** 5.14.2 mocks the server's own OpenAPI document. It validates and keeps no state; its log is
  discarded, which is an advantage for it.
- **First page** and **filter by name** are single requests over one connection, to a server with the large
  database and one with the small database.
- **DID groups and cities by a filter** are such requests too, to servers that read their records from a file of reference data.
  A country has 50 cities and a city 10 groups, of which 5 have outbound calls, in the large file as in the small one: so both
  servers find the same number of records.
- **Memory** is resident memory of the process; of twenty requests seventeen get one trunk, two list fifty
  and one creates a trunk durably.
- **Start** is from the start of the process without a database to the last byte of the first list.
- **Small world** is the scenario `one-trunk`, as `TestServer` and the control API load and save it in this process: an account, a
  trunk and a number, from the text of the file on, beside the account that the server has.
- **SDK** gets and decodes one trunk, against `reqwest` with `serde_json` into a plain struct; both in this
  process, from the same server.
- **Authenticated calls** are complete calls over UDP from one sipp, 128 at once: an INVITE, the challenge, its
  ACK, an INVITE with a digest, the answer, its ACK and a BYE. The bare callee is the same SIP library at
  transaction level; its challenge and answer are constants, it checks nothing and keeps nothing. The server
  also sends 100 for each INVITE, checks the digest and every rule, opens an RTP socket and writes a record.
- **Challenges** are INVITEs that are challenged, and the ACK. Kamailio (Debian's, two workers) calls
  `www_challenge` and keeps no state; the server sends 100 first, looks the address up among the trunks, and
  retransmits its 401 until the ACK.
- **Simultaneous calls** is resident memory of the process while calls are active, each with its RTP socket; the
  sockets' own buffers are the kernel's. Each call needs an open file: if fewer are allowed (`ulimit -n`), as
  many calls as possible are held, and the figure is scaled to 20,000 by the memory of each call.
- **Steady calls** are 200 new ones a second that last two seconds each, recorded in a database file, for ten
  minutes. A short run takes one minute, and reads memory first after six seconds.
- **Trunks in the edge's index** is the time of a server with the large database from its start to its
  start-up message, less that of a server without an edge, which reads all trunks too, to check them; and its resident
  memory then. The trunks differ in their names, times of creation and usernames alone.
- **trunkctl plan** reads a declaration of 10,000 trunks and finds them as they are. The bare client is this process: it asks for a
  token, requests the same pages and parses their JSON. Memory is the most that the process had.
- **Idle console** is the processor time of a server on which nothing happens, with its edge, while one client has read what the
  overview reads and follows the stream of events. A short run takes ten seconds, and the figure is that of a minute.
- **Cold debug build** and **crates** of `didww-client` are those of a program that depends on the SDK, without what is downloaded.
  A short run leaves the build out.
- **Decision about a call** is one call of the rules in this process: digest, 60 networks, 1,000 prefixes, SDP.
- **GET of one provider** is with a token, whose signature is checked; the provider is cached by the read before.
- **Provider calls** are placed by `wrk`, with one destination each; the call, its record and their index keys are
  written in one transaction. Each call is dialled to a carrier in the benchmark's own process that answers 486,
  and its end is written too. The reference is the create of the durable POST row, on the same server.
- **A call that is up** has been answered by such a carrier, runs a flow, and has an RTP socket.
- **Memory once calls are over** is resident memory of the process, 45 seconds after the last call: for 32 seconds
  the state of each call is kept to absorb retransmissions.

Load is `wrk -t1 -c32`; calls are from `sipp`.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figure: f64, spread: Option<(f64, f64)>, target: Target) -> Row {
        Row {
            name: "GET",
            ours: "1/s".to_owned(),
            reference: "2/s".to_owned(),
            figure,
            spread,
            unit: "",
            target,
        }
    }

    #[test]
    fn a_line_has_a_cell_for_each_heading_and_the_quartiles_of_the_rounds() {
        let line = row(0.5, Some((0.45, 0.5)), Target::AtLeast(0.4, 0.6)).line();
        assert_eq!(line, "| GET | 1/s | 2/s | **0.50** | 0.45 to 0.50 | ≥ 0.4 | 0.6 | reached |");
        let headings = TABLE_HEAD.lines().next().unwrap();
        assert_eq!(line.matches('|').count(), headings.matches('|').count());
    }

    #[test]
    fn a_figure_that_was_measured_once_has_no_quartiles() {
        let line = row(3.0, None, Target::AtMost(2.0, 1.0)).line();
        assert_eq!(line, "| GET | 1/s | 2/s | **3.00** | – | ≤ 2 | 1 | **missed** |");
    }

    #[test]
    fn a_row_whose_measurement_failed_says_so_and_reaches_nothing() {
        let row = Row::failed("a / b");
        assert_eq!(row.line(), "| a / b | – | – | **–** | – | – | – | **failed** |");
        assert!(!row.is_reached());
    }
}

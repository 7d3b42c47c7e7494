//! `trunkctl lab journal`.

use clap::{Args, Subcommand};
use didww_client::Method;
use serde_json::{Map, Value, json};

use crate::context::Target;
use crate::control::service::{Service, items, print_lines, print_list, with_query};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::output::{self, Format, cell};
use crate::terminal::{note, print_and_go_on};

const COLUMNS: [&str; 8] = ["number", "time", "method", "path", "query", "status", "duration_us", "fault"];

/// The subcommands of `trunkctl lab journal`. A server keeps a journal if it was started with `--journal`.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// List the last requests, newest first
    List {
        /// Which of them
        #[command(flatten)]
        filter: Filter,
        /// Only requests at or after this instant
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Maximum number of requests
        #[arg(long, value_name = "NUMBER")]
        limit: Option<String>,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Print each request when it ends
    Follow {
        /// Which of them
        #[command(flatten)]
        filter: Filter,
        /// Print the lines of JSON unchanged
        #[arg(long)]
        json: bool,
        /// Stop after this number of lines
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Compare the requests with expected ones; the exit code is 3 if they differ
    Verify(Box<Verify>),
    /// Remove all requests from the journal
    Clear,
}

/// The filters of requests.
#[derive(Debug, Clone, Args)]
pub struct Filter {
    /// Only requests of this account, by its id
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only requests with this method
    #[arg(long)]
    method: Option<String>,
    /// Only requests to this path, in which * is any text
    #[arg(long)]
    path: Option<String>,
    /// Only requests for records of this type
    #[arg(long, value_name = "TYPE")]
    resource: Option<String>,
    /// Only requests that were answered with this status
    #[arg(long)]
    status: Option<u16>,
    /// Only requests after the one with this number
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

/// The expected requests.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// The properties of one expected request
    #[command(flatten)]
    filter: Filter,
    /// A parameter of its query, such as `page[size]=2`
    #[arg(long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// Members of its body, as a JSON object
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// The exact number of these requests
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Minimum number of these requests
    #[arg(long, value_name = "NUMBER")]
    at_least: Option<u64>,
    /// Maximum number of these requests
    #[arg(long, value_name = "NUMBER")]
    at_most: Option<u64>,
    /// Read several expected requests from a file, `-` is standard input: `requests` is the list, `in_order` may be
    /// true
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["query", "body", "count", "at_least", "at_most",
        "account", "method", "path", "resource", "status"])]
    file: Option<String>,
    /// Wait up to this number of milliseconds for them, at most 25000
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=25_000))]
    wait_ms: Option<u64>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Filter {
    fn parameters(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("account", self.account.clone()),
            ("method", self.method.clone()),
            ("path", self.path.clone()),
            ("resource", self.resource.clone()),
            ("status", self.status.map(|status| status.to_string())),
            ("after", self.after.map(|after| after.to_string())),
        ]
    }
}

impl Verify {
    fn question(&self) -> Result<Value, Failure> {
        let mut question = match &self.file {
            Some(path) => file::object(path)?,
            None => Map::from_iter([("requests".to_owned(), json!([self.request()?]))]),
        };
        let given = [("after", self.filter.after), ("timeout_ms", self.wait_ms)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        question.extend(given);
        Ok(Value::Object(question))
    }

    /// The expected request that the flags describe.
    fn request(&self) -> Result<Value, Failure> {
        let parameters = self.query.iter().map(|pair| match pair.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), json!(value))),
            None => Err(Failure::usage(format!("--query {pair}: expected NAME=VALUE"))),
        });
        let parameters = parameters.collect::<Result<Map<String, Value>, Failure>>()?;
        let body: Option<Map<String, Value>> = match &self.body {
            Some(text) => {
                Some(serde_json::from_str(text).map_err(|error| Failure::usage(format!("--body: {error}")))?)
            }
            None => None,
        };
        let Filter { account, method, path, resource, status, .. } = &self.filter;
        let members = [
            ("account", account.as_ref().map(|text| json!(text))),
            ("method", method.as_ref().map(|text| json!(text))),
            ("path", path.as_ref().map(|text| json!(text))),
            ("resource", resource.as_ref().map(|text| json!(text))),
            ("status", status.map(|number| json!(number))),
            ("query", Some(Value::Object(parameters))),
            ("body", body.map(Value::Object)),
            ("count", self.count.map(|number| json!(number))),
            ("at_least", self.at_least.map(|number| json!(number))),
            ("at_most", self.at_most.map(|number| json!(number))),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Value::Object(members.collect()))
    }

    async fn run(&self, service: &Service) -> Result<(), Failure> {
        let path = if self.wait_ms.is_some() { "/journal/wait" } else { "/journal/verify" };
        let report = service.send(Method::POST, path, Some(&self.question()?)).await?;
        if self.json {
            print_and_go_on(&output::json(&report)?)?;
        } else {
            print_and_go_on(&sentences(&report))?;
        }
        let has_passed = report.get("passed").and_then(Value::as_bool).unwrap_or_default();
        if has_passed { Ok(()) } else { Err(Failure::silent(Exit::Differs)) }
    }
}

impl JournalCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests, and missing expected requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::List { filter, since, limit, output } => {
                let mut parameters = filter.parameters();
                parameters.extend([("since", since.clone()), ("limit", limit.clone())]);
                let answer = service.get(&with_query("/journal", &parameters)).await?;
                print_list(&answer, "requests", &COLUMNS, *output)
            }
            Self::Follow { filter, json, limit } => {
                let path = with_query("/journal/stream", &filter.parameters());
                print_lines(&service, &path, *json, *limit, sentence).await
            }
            Self::Verify(verify) => verify.run(&service).await,
            Self::Clear => {
                let answer = service.send(Method::DELETE, "/journal", None).await?;
                note(&format!("forgot {}", answer.get("cleared").unwrap_or(&Value::Null)));
                Ok(())
            }
        }
    }
}

/// A request as one line.
fn sentence(entry: &Value) -> String {
    let text = |name: &str| entry.get(name).filter(|value| !value.is_null()).map(cell).unwrap_or_default();
    let query = if text("query").is_empty() { String::new() } else { format!("?{}", text("query")) };
    let fault = if text("fault").is_empty() { String::new() } else { format!("  fault {}", text("fault")) };
    let status = if text("status").is_empty() { "unanswered".to_owned() } else { text("status") };
    let (time, method, path, took) = (text("time"), text("method"), text("path"), text("duration_us"));
    format!("{time}  {method} {path}{query}  {status}  {took} us{fault}")
}

/// A report as lines.
fn sentences(report: &Value) -> String {
    let text = |value: &Value, name: &str| value.get(name).map(cell).unwrap_or_default();
    let mut lines = Vec::new();
    for found in items(report, "requests") {
        let sign = if found.get("passed") == Some(&Value::Bool(true)) { '+' } else { '-' };
        let (expected, wanted) = (text(found, "expected"), text(found, "wanted"));
        lines.push(format!("{sign} {expected}: {wanted} expected, {} found", text(found, "found")));
        for miss in items(found, "near_misses") {
            let differences: Vec<String> = items(miss, "differences").iter().map(cell).collect();
            let (number, method, path) = (text(miss, "number"), text(miss, "method"), text(miss, "path"));
            lines.push(format!("    near: {number} {method} {path}: {}", differences.join("; ")));
        }
    }
    if report.get("in_order") == Some(&Value::Bool(false)) {
        lines.push("- they are not in the expected order".to_owned());
    }
    if report.get("dropped").and_then(Value::as_u64).unwrap_or_default() > 0 {
        lines.push(format!("{} older requests were dropped from the journal", text(report, "dropped")));
    }
    lines.push(String::new());
    lines.join("\n")
}

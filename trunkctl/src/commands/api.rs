//! `trunkctl api`: any request, for operations without a command.

use clap::Args;
use didww_client::{Method, encode_component};
use serde_json::Value;

use crate::context::Target;
use crate::control::Service;
use crate::exit::{Exit, Failure};
use crate::service_error::failure;
use crate::terminal::print;
use crate::{file, mask, output};

/// Sends a request with the key, the retries and the errors of the other commands, and prints the JSON of the answer.
#[derive(Debug, Clone, Args)]
pub struct Api {
    /// The method, such as GET
    #[arg(value_parser = method)]
    pub method: Method,

    /// The path below the base URL, such as /dids; percent-encoded
    pub path: String,

    /// A parameter of the query; name and value are encoded
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    pub query: Vec<(String, String)>,

    /// Send the object in this JSON, YAML or TOML file as the body, or that on standard input for `-`
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<String>,

    /// Send the request to the control API of a trunk-server, below /control/v1
    #[arg(long)]
    pub control: bool,

    /// Print passwords and keys in clear
    #[arg(long)]
    pub show_secrets: bool,
}

fn method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
    let found = known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "one of GET, POST, PATCH, PUT and DELETE".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Api {
    /// Sends the request.
    ///
    /// # Errors
    /// When the body cannot be read, and the failures of the request.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let body = self.file.as_deref().map(file::object).transpose()?.map(Value::Object);
        let mut answer = if self.control {
            self.of_control(target, body).await?
        } else {
            self.of_api(target, body).await?
        };
        if answer.is_null() {
            return Ok(());
        }
        if !self.show_secrets {
            mask::hide_value("", &mut answer);
        }
        print(&output::json(&answer)?)
    }

    async fn of_api(&self, target: &Target, body: Option<Value>) -> Result<Value, Failure> {
        let mut request = target.client()?.raw(self.method.clone(), &self.path);
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        if let Some(body) = &body {
            request = request.body(body);
        }
        let answer = request.send().await.map_err(|error| failure(&error))?;
        if answer.bytes().is_empty() {
            return Ok(Value::Null);
        }
        answer.json().map_err(|error| Failure::new(Exit::Failed, error.to_string()))
    }

    async fn of_control(&self, target: &Target, body: Option<Value>) -> Result<Value, Failure> {
        let encoded = |(name, value): &(String, String)| {
            format!("{}={}", encode_component(name), encode_component(value))
        };
        let query: Vec<String> = self.query.iter().map(encoded).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let path = format!("/{}{query}", self.path.trim_start_matches('/'));
        Service::of(target)?.send(self.method.clone(), &path, body.as_ref()).await
    }
}

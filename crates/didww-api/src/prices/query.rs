//! The parameters of a look-up: filters, and nothing else.

use std::collections::BTreeMap;

use didww_types::{ErrorCode, ErrorObject, QueryPairs};
use trunk_rules::prices::{country_name, is_number};

use crate::jsonapi::ApiError;

/// The filters that a look-up takes.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The name of the filter with the number.
    pub(crate) number: &'static str,
    /// The name of the filter with the code of a country, if there is one.
    pub(crate) country: Option<&'static str>,
    /// Whether the number is required. Otherwise one of the two filters is.
    pub(crate) by_number: bool,
}

/// The filters of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filters {
    /// The number.
    pub(super) number: Option<String>,
    /// The name of the country.
    pub(super) country: Option<&'static str>,
}

/// Reads the filters of a query. Of a filter that is sent twice the last one counts.
///
/// # Errors
/// Every parameter and filter that the look-up does not take; without one, the first filter that is missing or not
/// valid.
pub(super) fn read(query: &str, accepted: &Accepted) -> Result<Filters, ApiError> {
    let (mut sent, mut errors) = (BTreeMap::new(), Vec::new());
    for (name, value) in QueryPairs::parse(query).0 {
        let mut known = [Some(accepted.number), accepted.country].into_iter().flatten();
        let Some(filter) = filter_name(&name) else {
            errors.push(unknown_parameter(&name, &value));
            continue;
        };
        match known.find(|known| *known == filter) {
            Some(known) => drop(sent.insert(known, value)),
            None => errors.push(not_allowed(ErrorCode::FilterNotAllowed, "Filter not allowed", filter)),
        }
    }
    if !errors.is_empty() {
        return Err(ApiError::from_objects(errors));
    }
    let number = sent.remove(accepted.number);
    let country = accepted.country.and_then(|name| Some((name, sent.remove(name)?)));
    let is_missing = if accepted.by_number {
        number.as_deref().unwrap_or_default().is_empty()
    } else {
        number.is_none() && country.is_none()
    };
    if is_missing {
        return Err(missing(accepted));
    }
    if let Some(number) = number.as_deref().filter(|number| !is_number(number)) {
        return Err(invalid(accepted.number, number));
    }
    let country = match &country {
        Some((name, code)) => Some(country_name(code).ok_or_else(|| invalid(name, code))?),
        None => None,
    };
    Ok(Filters { number, country })
}

/// Returns the name inside of `filter[…]`.
fn filter_name(name: &str) -> Option<&str> {
    name.strip_prefix("filter[")?.strip_suffix(']')
}

/// The error of a parameter whose name is not that of a filter.
fn unknown_parameter(name: &str, value: &str) -> ErrorObject {
    if name == "filter" {
        let detail = format!("{value} is not a valid syntax for filtering.");
        return ErrorObject::new(ErrorCode::InvalidFiltersSyntax, "Invalid filters syntax", detail);
    }
    let outer = name.split('[').next().unwrap_or(name);
    not_allowed(ErrorCode::ParamNotAllowed, "Param not allowed", outer)
}

fn not_allowed(code: ErrorCode, title: &str, name: &str) -> ErrorObject {
    ErrorObject::new(code, title, format!("{name} is not allowed."))
}

fn missing(accepted: &Accepted) -> ApiError {
    let number = format!("filter[{}]", accepted.number);
    let name = match accepted.country.filter(|_| !accepted.by_number) {
        Some(country) => format!("{number} or filter[{country}]"),
        None => number,
    };
    let detail = format!("The required parameter, {name}, is missing.");
    ApiError::new(ErrorCode::MissingParameter, "Missing Parameter", detail)
}

fn invalid(name: &str, value: &str) -> ApiError {
    let detail = format!("{value} is not a valid value for {name}.");
    ApiError::new(ErrorCode::InvalidFilterValue, "Invalid filter value", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Accepted = Accepted { number: "number", country: Some("src_country_iso"), by_number: true };
    const MESSAGES: Accepted =
        Accepted { number: "dst_number", country: Some("dst_country_iso"), by_number: false };

    /// The codes and details of the errors.
    fn refused(query: &str, accepted: &Accepted) -> Vec<(String, String)> {
        let error = read(query, accepted).unwrap_err();
        let texts = error.errors.into_iter().map(|error| (error.code.unwrap(), error.detail.unwrap()));
        texts.collect()
    }

    #[test]
    fn a_number_and_a_country_are_read_encoded_or_not() {
        let filters = Filters { number: Some("18005550123".to_owned()), country: Some("Canada") };
        let query = "filter%5Bnumber%5D=18005550123&filter[src_country_iso]=CA";
        assert_eq!(read(query, &CALLS).unwrap(), filters);
        assert_eq!(
            read("filter[number]=0&filter[number]=18005550123", &CALLS).unwrap().number,
            filters.number
        );
        let of_country = Filters { number: None, country: Some("Canada") };
        assert_eq!(read("filter[dst_country_iso]=CA", &MESSAGES).unwrap(), of_country);
    }

    #[test]
    fn what_is_missing_or_not_valid_is_named() {
        let missing =
            |name: &str| vec![("106".to_owned(), format!("The required parameter, {name}, is missing."))];
        for query in ["", "filter[number]=", "filter[src_country_iso]=CA"] {
            assert_eq!(refused(query, &CALLS), missing("filter[number]"), "{query}");
        }
        assert_eq!(refused("", &MESSAGES), missing("filter[dst_number] or filter[dst_country_iso]"));
        let invalid = |name: &str, value: &str| {
            vec![("107".to_owned(), format!("{value} is not a valid value for {name}."))]
        };
        assert_eq!(refused("filter[number]=0123", &CALLS), invalid("number", "0123"));
        assert_eq!(refused("filter[dst_number]=", &MESSAGES), invalid("dst_number", ""));
        for code in ["ca", "XX", ""] {
            let query = format!("filter[number]=18005550123&filter[src_country_iso]={code}");
            assert_eq!(refused(&query, &CALLS), invalid("src_country_iso", code));
        }
    }

    #[test]
    fn every_parameter_that_is_not_taken_is_refused_by_its_name() {
        let query = "filter[number]=18005550123&page[size]=1&sort=rate&include=x&fields[prices]=rate&a=b&filter[id]=1&filter=2";
        let expected = [
            ("105", "page is not allowed."),
            ("105", "sort is not allowed."),
            ("105", "include is not allowed."),
            ("105", "fields is not allowed."),
            ("105", "a is not allowed."),
            ("102", "id is not allowed."),
            ("120", "2 is not a valid syntax for filtering."),
        ];
        let expected = expected.map(|(code, detail)| (code.to_owned(), detail.to_owned()));
        assert_eq!(refused(query, &CALLS), expected);
        let outbound = Accepted { country: None, ..CALLS };
        let query = "filter[number]=18005550123&filter[src_country_iso]=CA";
        let (code, detail) = ("102".to_owned(), "src_country_iso is not allowed.".to_owned());
        assert_eq!(refused(query, &outbound), [(code, detail)]);
    }
}

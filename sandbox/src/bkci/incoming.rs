//! A request, read: address, query, headers, body.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::errors::Failure;
use super::families::{Door, Family, Found, Route, find};
use super::history::Filter;
use super::lists::Page;
use super::status::Status;

/// bkci-api.md 14.
const BODY_LIMIT: usize = 40 * 1024 * 1024;

/// A request, read.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) raw_query: Option<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) door: Door,
    pub(super) found: Found,
}

impl Incoming {
    /// `None` when the body breaks off, or is longer than the gateway takes.
    pub(super) async fn read(request: Request) -> Option<Self> {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, BODY_LIMIT).await.ok()?;
        let path = head.uri.path().to_owned();
        let raw_query = head.uri.query().map(str::to_owned);
        let (door, found) = find(&head.method, &path);
        Some(Self {
            query: raw_query.as_deref().map(decode_query).unwrap_or_default(),
            method: head.method,
            headers: head.headers,
            body,
            door,
            found,
            path,
            raw_query,
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// An empty header is as good as none.
    pub(super) fn uid(&self) -> Option<&str> {
        self.header("x-devops-uid").filter(|uid| !uid.is_empty())
    }

    pub(super) fn route(&self) -> Option<&Route> {
        match &self.found {
            Found::Route(route) => Some(route),
            Found::WrongMethod | Found::Nothing | Found::NotOfTheApi => None,
        }
    }

    /// The build that the address names, wherever its family has it.
    pub(super) fn build(&self) -> Option<&str> {
        let route = self.route()?;
        let in_path = route.family.has_ids_in_the_path();
        if in_path { Some(route.build.as_str()).filter(|id| !id.is_empty()) } else { self.text("buildId") }
    }

    /// The first value, as JAX-RS takes it.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Blank is as good as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.parameter(name).filter(|value| !value.trim().is_empty())
    }

    /// "Booleans never fail: anything but `true` is false" (bkci-api.md 3.3).
    pub(super) fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A missing number is 0 without an error (bkci-api.md 3.3).
    fn number(&self, name: &str) -> Result<i64, Failure> {
        Ok(self.maybe_number(name)?.unwrap_or_default())
    }

    pub(super) fn maybe_number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(value) = self.parameter(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        value.parse::<i32>().map(|number| Some(number.into())).map_err(|_| Failure::wrong_type())
    }

    /// A number of 64 bits; a missing one is 0 too.
    pub(super) fn long(&self, name: &str) -> Result<i64, Failure> {
        let Some(value) = self.parameter(name).filter(|value| !value.is_empty()) else { return Ok(0) };
        value.parse().map_err(|_| Failure::wrong_type())
    }

    /// The items of a body that is a JSON array (bkci-api.md 3.3, the rows on bodies). `name` is the argument's.
    pub(super) fn items(&self, name: &str) -> Result<Vec<Value>, Failure> {
        if self.body.trim_ascii().is_empty() {
            return Err(Failure::missing_argument(name));
        }
        match serde_json::from_slice(&self.body).map_err(|_| Failure::unreadable_body())? {
            Value::Array(items) => Ok(items),
            _ => Err(Failure::wrong_body()),
        }
    }

    pub(super) fn page(&self) -> Result<Page, Failure> {
        Ok(Page { page: self.number("page")?, page_size: self.number("pageSize")? })
    }

    /// v3 takes the order alone: what else is in the query, the service ignores (bkci-api.md 2.1, 7.4).
    pub(super) fn filter(&self, family: Family) -> Result<Filter, Failure> {
        let update_time_desc = self.flag("updateTimeDesc");
        if family.has_ids_in_the_path() {
            return Ok(Filter { update_time_desc, ..Filter::default() });
        }
        let every = |name| self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str());
        let statuses = every("status").map(|name| Status::named(name).ok_or_else(Failure::wrong_type));
        Ok(Filter {
            update_time_desc,
            statuses: statuses.collect::<Result<_, _>>()?,
            number_from: self.maybe_number("buildNoStart")?,
            number_to: self.maybe_number("buildNoEnd")?,
            start_users: every("startUser").map(str::to_owned).collect(),
        })
    }

    /// `application/json`, with or without parameters.
    pub(super) fn sends_json(&self) -> bool {
        let media = self.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
        media.trim().eq_ignore_ascii_case("application/json")
    }
}

fn decode_query(raw: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(key), decode(value))
    };
    raw.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

//! The routes: which request gets which answer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::asked::Asked;
use super::crowd::Crowd;
use super::options::Options;
use super::query::{self, Refused};
use super::request::Request;
use super::template::Templates;
use crate::payload::INSTANCE_ID;

pub(super) struct Api {
    crowd: Crowd,
    templates: Templates,
    asked: Mutex<Asked>,
}

impl Api {
    pub(super) fn new(options: &Options) -> Self {
        let crowd = Crowd { users: options.users };
        Self { crowd, templates: Templates::new(), asked: Mutex::default() }
    }

    pub(super) fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the body of the answer and returns its status.
    pub(super) fn answer(&self, request: &Request, out: &mut Vec<u8>) -> u16 {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.is_get, path) {
            (true, "/v1/users") => self.list(query, out),
            (true, "/v1/users/count") => self.count(query, out),
            (true, "/v1/jwks") => self.key_set(out),
            (true, "/requests") => write(&self.asked().json(), 200, out),
            (true, path) => match path.strip_prefix("/v1/users/").filter(|id| !id.contains('/')) {
                Some(id) => self.user(id, out),
                None => self.not_found("There is no such route", out),
            },
            (false, _) => self.not_found("There is no such route", out),
        }
    }

    fn list(&self, query: &str, out: &mut Vec<u8>) -> u16 {
        let page = match query::read(query) {
            Ok(read) => read.page(&self.crowd),
            Err(refused) => return self.refuse(&refused, out),
        };
        self.asked().add_page(query, &page);
        self.templates.write_list(&page, out);
        200
    }

    fn count(&self, query: &str, out: &mut Vec<u8>) -> u16 {
        let count = match query::read(query) {
            Ok(read) => read.count(&self.crowd),
            Err(refused) => return self.refuse(&refused, out),
        };
        self.asked().counts += 1;
        write(&json!({ "object": "total_count", "total_count": count }), 200, out)
    }

    fn user(&self, id: &str, out: &mut Vec<u8>) -> u16 {
        let Some(number) = self.crowd.number_of(id) else {
            return self.not_found(&format!("No user was found with id {id}"), out);
        };
        self.asked().single_users += 1;
        self.templates.write(number, out);
        200
    }

    /// One key, whose id names the instance. Nothing is signed with it.
    fn key_set(&self, out: &mut Vec<u8>) -> u16 {
        self.asked().key_sets += 1;
        let key = json!({ "use": "sig", "kty": "RSA", "kid": INSTANCE_ID, "alg": "RS256", "e": "AQAB", "n": "w".repeat(342) });
        write(&json!({ "keys": [key] }), 200, out)
    }

    fn not_found(&self, what: &str, out: &mut Vec<u8>) -> u16 {
        self.asked().refused += 1;
        write(&error("resource_not_found", "not found", what, &json!({})), 404, out)
    }

    fn refuse(&self, refused: &Refused, out: &mut Vec<u8>) -> u16 {
        self.asked().refused += 1;
        let Refused { parameter, message } = refused;
        let long = format!("{parameter} {message}");
        let meta = json!({ "param_name": parameter });
        write(&error("form_param_value_invalid", message, &long, &meta), 422, out)
    }
}

/// The provider's way of saying no.
fn error(code: &str, message: &str, long_message: &str, meta: &Value) -> Value {
    json!({
        "errors": [{ "message": message, "long_message": long_message, "code": code, "meta": meta }],
        "clerk_trace_id": "00000000000000000000000000000000",
    })
}

fn write(body: &Value, status: u16, out: &mut Vec<u8>) -> u16 {
    out.extend_from_slice(body.to_string().as_bytes());
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(api: &Api, target: &str) -> (u16, Value) {
        let request = Request { is_get: true, target: target.to_owned(), keep_alive: true };
        let mut body = Vec::new();
        let status = api.answer(&request, &mut body);
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn every_route_answers_in_the_shape_of_the_provider() {
        let api = Api::new(&Options { users: 700, ..Options::default() });
        let (status, list) = get(&api, "/v1/users?limit=500&order_by=created_at");
        assert_eq!((status, list.as_array().unwrap().len()), (200, 500));
        let id = list[499]["id"].as_str().unwrap();
        assert_eq!(get(&api, &format!("/v1/users/{id}")), (200, list[499].clone()));
        let (_, list) =
            get(&api, &format!("/v1/users?limit=500&order_by=created_at&starting_after={id}"));
        assert_eq!(list.as_array().unwrap().len(), 200);
        let count = json!({ "object": "total_count", "total_count": 700 });
        assert_eq!(get(&api, "/v1/users/count"), (200, count));
        assert_eq!(get(&api, "/v1/jwks").1["keys"][0]["kid"], INSTANCE_ID);
        let asked = get(&api, "/requests").1;
        assert_eq!((&asked["pages"], &asked["different_users"]), (&json!(2), &json!(700)));
    }

    #[test]
    fn what_is_not_there_is_refused_in_its_shape_too() {
        let api = Api::new(&Options { users: 7, ..Options::default() });
        let (status, body) = get(&api, "/v1/users/user_nobody");
        assert_eq!((status, &body["errors"][0]["code"]), (404, &json!("resource_not_found")));
        assert_eq!(get(&api, "/v1/organizations").0, 404);
        assert_eq!(get(&api, "/v1/users/a/b").0, 404);
        let (status, body) = get(&api, "/v1/users?limit=0");
        assert_eq!((status, &body["errors"][0]["meta"]["param_name"]), (422, &json!("limit")));
        let patch = Request { is_get: false, target: "/v1/users".to_owned(), keep_alive: true };
        assert_eq!(api.answer(&patch, &mut Vec::new()), 404);
        assert_eq!(api.asked().json()["refused"], 5);
    }
}

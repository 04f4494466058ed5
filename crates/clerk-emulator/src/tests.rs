//! The emulator over HTTP, as a client sees it: one test an area.

use super::{Emulator, Faults, Outage, Retries, Settings};
use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn start(change: impl FnOnce(&mut Settings)) -> Emulator {
    let mut settings = Settings { seed: 1, retries: Retries::short(), ..Settings::default() };
    change(&mut settings);
    Emulator::start(settings).unwrap()
}

async fn send(emulator: &Emulator, method: Method, path: &str, body: Option<Value>) -> Response {
    let credentials = emulator.credentials();
    let url = format!("{}{path}", credentials.api_url);
    let request = reqwest::Client::new().request(method, url).bearer_auth(&credentials.secret_key);
    let request = match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    };
    request.send().await.unwrap()
}

async fn call(
    emulator: &Emulator,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let response = send(emulator, method, path, body).await;
    assert_eq!(response.headers().get("content-type").unwrap(), "application/json");
    let status = response.status();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn get(emulator: &Emulator, path: &str) -> (StatusCode, Value) {
    call(emulator, Method::GET, path, None).await
}

fn code(body: &Value) -> &str {
    body["errors"][0]["code"].as_str().unwrap()
}

/// What arrived: the headers of each delivery, and its bytes.
type Arrived = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// An emulator that delivers to a receiver, which answers with these statuses, then with 200.
fn delivering(faults: Faults, statuses: Vec<u16>) -> (Emulator, Arrived) {
    let arrived = Arrived::default();
    let statuses = Arc::new(Mutex::new(statuses));
    let state = Data::new((Arc::clone(&arrived), statuses));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = HttpServer::new(move || {
        App::new().app_data(state.clone()).route("/hook", web::post().to(arrive))
    });
    tokio::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
    let emulator = start(|settings| (settings.deliver_to, settings.faults) = (Some(url), faults));
    (emulator, arrived)
}

type Receiver = Data<(Arrived, Arc<Mutex<Vec<u16>>>)>;

async fn arrive(request: HttpRequest, body: Bytes, state: Receiver) -> HttpResponse {
    state.0.lock().unwrap().push((request.headers().clone(), body));
    let status = state.1.lock().unwrap().pop().unwrap_or(200);
    HttpResponse::build(status.try_into().unwrap()).insert_header(("retry-after", "9")).finish()
}

fn bodies(arrived: &Arrived) -> Vec<Value> {
    let arrived = arrived.lock().unwrap();
    arrived.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_past_the_key() {
    let emulator = Emulator::start(Settings::default()).unwrap();
    let origin = &emulator.credentials().api_url;
    let client = reqwest::Client::new();
    for path in ["/v1/users", "/%761/users", "/v%31/users", "/v1/../v1/users", "//v1/users", "/"] {
        let answer = client.post(format!("{origin}{path}")).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    assert!(emulator.users().is_empty());
}

#[tokio::test]
async fn only_loopback_is_listened_on_and_keys_say_what_they_are() {
    let bind = "0.0.0.0:0".parse().unwrap();
    let refused = Emulator::start(Settings { bind, ..Settings::default() }).err().unwrap();
    assert!(refused.to_string().contains("loopback only"), "{refused}");

    let emulator = start(|_| {});
    let credentials = emulator.credentials();
    assert!(credentials.secret_key.starts_with("sk_test_usersync_emulator_"));
    let secret = credentials.webhook_secret.strip_prefix("whsec_").unwrap();
    let secret = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, secret);
    let secret = secret.unwrap();
    assert!((24..=64).contains(&secret.len()));
    assert!(secret.windows(17).any(|window| window == b"usersync_emulator"));
    assert_eq!(credentials.publishable_key, "pk_test_dXNlcnN5bmMtZW11bGF0b3IubG9jYWxob3N0JA");
    let printed = format!("{credentials:?}");
    assert!(
        !printed.contains(&credentials.secret_key)
            && !printed.contains(&credentials.webhook_secret)
    );
    emulator.stop().await;
}

#[tokio::test]
async fn requests_without_the_key_or_with_a_bad_version_are_refused() {
    let emulator = start(|_| {});
    let url = format!("{}/v1/users", emulator.credentials().api_url);
    let client = reqwest::Client::new();
    for (request, status, expected) in [
        (client.get(&url), 401, "authentication_invalid"),
        (client.get(&url).bearer_auth("sk_test_other"), 401, "clerk_key_invalid"),
        (
            client
                .get(&url)
                .bearer_auth(&emulator.credentials().secret_key)
                .header("clerk-api-version", "2020-01-01"),
            400,
            "api_version_invalid",
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(code(&body), expected);
        assert!(body["clerk_trace_id"].is_string());
    }
    assert_eq!(get(&emulator, "/v1/nothing").await.0, 404);
}

#[tokio::test]
async fn users_are_created_listed_counted_updated_and_deleted() {
    let emulator = start(|settings| settings.users = 30);
    let fields = json!({
        "email_address": ["Ada@Example.org"], "first_name": "Ada", "external_id": "42",
        "public_metadata": {"role": "admin"}, "created_at": "2020-01-02T03:04:05.678Z",
    });
    let (status, user) = call(&emulator, Method::POST, "/v1/users", Some(fields.clone())).await;
    assert_eq!(status, 200);
    assert_eq!(user["created_at"], 1_577_934_245_678_i64);
    assert_eq!(user["primary_email_address_id"], user["email_addresses"][0]["id"]);
    assert_eq!(user["email_addresses"][0]["verification"]["strategy"], "admin");
    let id = user["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);

    let (status, body) = call(&emulator, Method::POST, "/v1/users", Some(fields)).await;
    assert_eq!((status.as_u16(), code(&body)), (422, "form_identifier_exists"));
    let unknown = Some(json!({"shoe_size": 42}));
    let (status, body) = call(&emulator, Method::POST, "/v1/users", unknown).await;
    assert_eq!((status.as_u16(), code(&body)), (422, "form_param_unknown"));
    assert_eq!(body["errors"][0]["meta"]["param_name"], "shoe_size");

    assert_eq!(get(&emulator, "/v1/users").await.1.as_array().unwrap().len(), 10);
    assert_eq!(get(&emulator, "/v1/users?limit=500").await.1.as_array().unwrap().len(), 31);
    let first = get(&emulator, "/v1/users?limit=1&order_by=created_at").await.1;
    assert_eq!(first, json!([user]));
    assert_eq!(get(&emulator, "/v1/users/count?limit=2").await.1["total_count"], 31);
    assert_eq!(get(&emulator, "/v1/users?external_id=42").await.1[0]["id"], id);

    let path = format!("/v1/users/{id}");
    let (status, body) =
        call(&emulator, Method::PATCH, &path, Some(json!({"public_metadata": {}}))).await;
    assert_eq!((status.as_u16(), code(&body)), (422, "form_param_unknown"));
    let changed = call(&emulator, Method::PATCH, &path, Some(json!({"last_name": "King"}))).await.1;
    assert_eq!(changed["last_name"], "King");
    assert!(changed["updated_at"].as_i64() > user["updated_at"].as_i64());
    assert_eq!(get(&emulator, &path).await.1, changed);
    assert_eq!(call(&emulator, Method::POST, &format!("{path}/ban"), None).await.1["banned"], true);
    assert_eq!(
        call(&emulator, Method::POST, &format!("{path}/lock"), None).await.1["locked"],
        true
    );

    let deleted = call(&emulator, Method::DELETE, &path, None).await.1;
    assert_eq!(deleted, json!({"deleted": true, "external_id": "42", "id": id, "object": "user"}));
    let (status, body) = get(&emulator, &path).await;
    assert_eq!((status.as_u16(), code(&body)), (404, "resource_not_found"));
    assert_eq!(emulator.issued_ids().len(), 31);
    assert_eq!((emulator.users().len(), emulator.user(id)), (30, None));
    assert_eq!(emulator.counts().requests_of("list"), 4);
}

#[tokio::test]
async fn metadata_is_merged_and_an_unchanged_merge_changes_nothing() {
    let (emulator, arrived) = delivering(Faults::None, vec![]);
    let user = emulator.create_user(json!({"public_metadata": {"a": {"b": 1, "c": 2}}}));
    let id = user["id"].as_str().unwrap();
    let path = format!("/v1/users/{id}/metadata");
    let merge = |value: Value| call(&emulator, Method::PATCH, &path, Some(value));

    let same = merge(json!({"public_metadata": {"a": {"b": 1}, "gone": null}})).await.1;
    assert_eq!(same, user);
    let changed = merge(json!({"public_metadata": {"a": {"b": null}, "dbId": "7"}})).await.1;
    assert_eq!(changed["public_metadata"], json!({"a": {"c": 2}, "dbId": "7"}));
    assert!(changed["updated_at"].as_i64() > user["updated_at"].as_i64());
    let put = Some(json!({"private_metadata": {"x": 1}, "public_metadata": {}}));
    let replaced = call(&emulator, Method::PUT, &path, put).await.1;
    assert_eq!(
        (&replaced["public_metadata"], &replaced["private_metadata"]["x"]),
        (&json!({}), &json!(1))
    );

    emulator.wait_until_idle().await;
    let events = bodies(&arrived);
    assert_eq!(events.len(), 3, "the creation and two changes: the unchanged one is no event");
    assert_eq!(emulator.metadata_writes(id), 2);
    assert_eq!(emulator.counts().requests_of("metadata_patch"), 2);
}

#[tokio::test]
async fn deliveries_are_signed_and_retried_with_the_same_id() {
    let (emulator, arrived) = delivering(Faults::None, vec![503]);
    let user =
        emulator.create_user(json!({"email_address": ["ada@example.org"], "external_id": "e"}));
    emulator.wait_until_idle().await;
    let id = user["id"].as_str().unwrap();
    assert!(emulator.delete_user(id));
    emulator.wait_until_idle().await;

    let webhook = svix::webhooks::Webhook::new(&emulator.credentials().webhook_secret).unwrap();
    let deliveries = arrived.lock().unwrap().clone();
    assert_eq!(deliveries.len(), 3);
    for (headers, body) in &deliveries {
        let mut map = reqwest::header::HeaderMap::new();
        for name in ["svix-id", "svix-timestamp", "svix-signature"] {
            map.insert(name, header(headers, name).parse().unwrap());
        }
        webhook.verify(body, &map).unwrap();
    }
    assert_eq!(header(&deliveries[0].0, "svix-id"), header(&deliveries[1].0, "svix-id"));
    assert_ne!(header(&deliveries[0].0, "svix-id"), header(&deliveries[2].0, "svix-id"));
    let events = bodies(&arrived);
    assert_eq!((&events[0]["type"], &events[0]["data"]), (&json!("user.created"), &user));
    assert_eq!(events[0]["instance_id"], "ins_usersyncEmulator000000000000");
    assert!(deliveries[0].1.starts_with(br#"{"data":{"backup_code_enabled":false,"banned":"#));
    let gone = json!({"deleted": true, "external_id": "e", "id": id, "object": "user"});
    assert_eq!((&events[2]["type"], &events[2]["data"]), (&json!("user.deleted"), &gone));
    let counts = emulator.counts().deliveries;
    assert_eq!((counts.events, counts.sent, counts.acknowledged, counts.retried), (2, 3, 2, 1));
}

#[tokio::test]
async fn faults_repeat_duplicate_and_drop_and_spare_what_is_not_about_users() {
    let (emulator, arrived) = delivering(Faults::Heavy, vec![]);
    for _ in 0..200 {
        assert!(emulator.create_user(json!({}))["id"].is_string());
    }
    emulator.wait_until_idle().await;
    let events = bodies(&arrived);
    let seen: HashSet<&str> =
        events.iter().map(|event| event["data"]["id"].as_str().unwrap()).collect();
    let counts = emulator.counts();
    assert!(counts.faults_of("reordered") > 0 && counts.faults_of("dropped") > 0);
    let count = |kind: &str| usize::try_from(counts.faults_of(kind)).unwrap();
    assert_eq!(seen.len(), 200 - count("dropped"));
    assert_eq!(events.len(), seen.len() + count("duplicated"));

    let mut statuses = HashSet::new();
    for _ in 0..100 {
        let response = send(&emulator, Method::GET, "/v1/users/count", None).await;
        statuses.insert(response.status().as_u16());
        assert_eq!(send(&emulator, Method::GET, "/v1/jwks", None).await.status(), 200);
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().any(|status| *status >= 500), "{statuses:?}");
    emulator.set_faults(Faults::None);
    let before = emulator.counts().faults;
    assert_eq!(get(&emulator, "/v1/users/count").await.0, 200);
    assert_eq!(emulator.counts().faults, before);
}

#[tokio::test]
async fn a_lost_answer_is_lost_behind_the_work() {
    let emulator = start(|settings| settings.faults = Faults::Heavy);
    let mut answered = 0;
    for _ in 0..150 {
        let response = send(&emulator, Method::POST, "/v1/users", Some(json!({}))).await;
        answered += u64::from(response.status().is_success());
    }
    let lost = emulator.counts().faults_of("answer_lost");
    assert!(lost > 0);
    assert_eq!(u64::try_from(emulator.users().len()).unwrap(), answered + lost);
}

#[tokio::test]
async fn outages_come_and_go() {
    let emulator = start(|settings| settings.users = 1);
    let path = format!("/v1/users/{}", emulator.issued_ids()[0]);
    for (outage, list, one, keys) in [
        (Outage::Unavailable, 503, 503, 503),
        (Outage::Unauthorized, 401, 401, 401),
        (Outage::NotFound, 200, 404, 200),
        (Outage::EmptyLists, 200, 200, 200),
        (Outage::None, 200, 200, 200),
    ] {
        emulator.set_outage(outage);
        let (status, users) = get(&emulator, "/v1/users").await;
        assert_eq!(status, list, "{outage:?}");
        assert_eq!(users == json!([]), outage == Outage::EmptyLists);
        assert_eq!(get(&emulator, &path).await.0, one, "{outage:?}");
        assert_eq!(get(&emulator, "/v1/jwks").await.0, keys, "{outage:?}");
    }
}

#[tokio::test]
async fn metadata_that_are_not_kept_are_answered_as_before() {
    let emulator = start(|_| {});
    emulator.set_outage(Outage::UnkeptMetadata);
    let user = emulator.create_user(json!({"public_metadata": {"a": 1}}));
    let id = user["id"].as_str().unwrap();
    let path = format!("/v1/users/{id}/metadata");
    let more = Some(json!({"public_metadata": {"b": 2}}));
    assert_eq!(call(&emulator, Method::PATCH, &path, more).await, (StatusCode::OK, user.clone()));
    assert_eq!((emulator.user(id), emulator.metadata_writes(id)), (Some(user.clone()), 1));
}

#[tokio::test]
async fn rate_limits_hold_where_they_are_switched_on() {
    let emulator = start(|settings| {
        settings.users = 1;
        settings.rate_limits = true;
    });
    let path = format!("/v1/users/{}/metadata", emulator.issued_ids()[0]);
    for number in 0..11 {
        let fields = Some(json!({"public_metadata": {"n": number}}));
        let response = send(&emulator, Method::PATCH, &path, fields).await;
        assert_eq!(response.status(), if number < 10 { 200 } else { 429 });
        if number == 10 {
            let wait = response.headers().get("retry-after").unwrap().to_str().unwrap();
            assert!((1..=10).contains(&wait.parse::<u32>().unwrap()));
        }
    }
}

/// Checks a token against a published key, and gives its claims.
fn verified(token: &str, keys: &Value, issuer: &str) -> Option<Value> {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    let header = decode_header(token).ok()?;
    let key = keys["keys"].as_array()?.iter().find(|key| key["kid"] == json!(header.kid))?;
    let (n, e) = (key["n"].as_str()?, key["e"].as_str()?);
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    let key = DecodingKey::from_rsa_components(n, e).ok()?;
    Some(decode::<Value>(token, &key, &validation).ok()?.claims)
}

#[tokio::test]
async fn sessions_give_tokens_that_the_key_set_proves() {
    let emulator = start(|_| {});
    let credentials = emulator.credentials();
    let user = emulator.create_user(json!({"public_metadata": {"dbId": "7"}}));
    let keys = get(&emulator, "/v1/jwks").await.1;
    let public = reqwest::get(format!("{}/.well-known/jwks.json", credentials.api_url)).await;
    assert_eq!(
        serde_json::from_str::<Value>(&public.unwrap().text().await.unwrap()).unwrap(),
        keys
    );
    jsonwebtoken::DecodingKey::from_rsa_pem(credentials.jwt_key.as_bytes()).unwrap();

    let asked = Some(json!({"user_id": user["id"]}));
    let session = call(&emulator, Method::POST, "/v1/sessions", asked).await.1;
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(get(&emulator, &path).await.1, session);
    let token = call(&emulator, Method::POST, &format!("{path}/tokens"), None).await.1;
    let claims = verified(token["jwt"].as_str().unwrap(), &keys, &credentials.issuer).unwrap();
    assert_eq!((&claims["sub"], &claims["sid"]), (&user["id"], &session["id"]));
    assert_eq!(
        (&claims["dbId"], &claims["role"], &claims["v"]),
        (&json!("7"), &json!(null), &json!(2))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);

    let long = Some(json!({"expires_in_seconds": 600}));
    let token = call(&emulator, Method::POST, &format!("{path}/tokens/mine"), long).await.1;
    let token = token["jwt"].as_str().unwrap();
    let claims = verified(token, &keys, &credentials.issuer).unwrap();
    assert_eq!((claims.get("sid"), claims.get("sts")), (None, None));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);

    let revoked = call(&emulator, Method::POST, &format!("{path}/revoke"), None).await.1;
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(call(&emulator, Method::POST, &format!("{path}/tokens"), None).await.0, 404);
    let own = emulator.session_token(user["id"].as_str().unwrap());
    assert!(verified(&own, &keys, &credentials.issuer).is_some());
    let forged = emulator.sign_token(json!({"alg": "none", "kid": "other"}), json!({"sub": "x"}));
    assert!(verified(&forged, &keys, &credentials.issuer).is_none());
}

#[tokio::test]
async fn users_ids_and_key_survive_a_restart() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("emulator.json");
    let kept = |seed| {
        let state_file = Some(file.clone());
        start(|settings| *settings = Settings { seed, state_file, users: 3, ..Settings::default() })
    };
    let first = kept(1);
    let user = first.create_user(json!({"first_name": "Ada"}));
    let gone = first.issued_ids()[0].clone();
    assert!(first.delete_user(&gone));
    let (credentials, users, issued) =
        (first.credentials().clone(), first.users(), first.issued_ids());
    first.stop().await;
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let second = kept(1);
    assert_eq!((second.users(), second.issued_ids()), (users, issued.clone()));
    assert_eq!(second.credentials().jwt_key, credentials.jwt_key);
    assert_eq!(second.user(user["id"].as_str().unwrap()).as_ref(), Some(&user));
    let new = second.create_user(json!({}));
    assert!(!issued.contains(&new["id"].as_str().unwrap().to_owned()));
    tokio::time::sleep(Duration::from_millis(600)).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(new["id"].as_str().unwrap()), "saved soon after a change");
    second.stop().await;
}

#[tokio::test]
async fn what_was_dropped_is_delivered_on_request_and_only_once() {
    let (emulator, arrived) = delivering(Faults::Heavy, vec![]);
    for _ in 0..100 {
        emulator.create_user(json!({}));
    }
    emulator.wait_until_idle().await;
    let seen = |events: Vec<Value>| -> HashSet<String> {
        events.iter().map(|event| event["data"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let dropped = usize::try_from(emulator.counts().faults_of("dropped")).unwrap();
    assert!(dropped > 0 && seen(bodies(&arrived)).len() == 100 - dropped);
    assert_eq!(emulator.redeliver_dropped(), dropped);
    emulator.wait_until_idle().await;
    assert_eq!(seen(bodies(&arrived)).len(), 100);
    assert_eq!(emulator.redeliver_dropped(), 0);
}

#[tokio::test]
async fn an_event_that_another_process_sends_is_applied_and_not_delivered_again() {
    let (emulator, arrived) = delivering(Faults::None, vec![]);
    let path = "/v1/usersync/events";
    let event = include_str!("../../../fixtures/webhooks/user.created.json");
    let event: Value = serde_json::from_str(event).unwrap();
    let id = event["data"]["id"].as_str().unwrap();
    for _ in 0..2 {
        assert_eq!(call(&emulator, Method::POST, path, Some(event.clone())).await.0, 200);
        let user = emulator.user(id).unwrap();
        for key in ["first_name", "email_addresses", "created_at", "updated_at"] {
            assert_eq!(user[key], event["data"][key], "{key}");
        }
    }
    let token = "/v1/usersync/session_token?email_address=Rosalind.Vane@example.org";
    let token = send(&emulator, Method::GET, token, None).await.text().await.unwrap();
    let keys = get(&emulator, "/v1/jwks").await.1;
    assert_eq!(verified(&token, &keys, &emulator.credentials().issuer).unwrap()["sub"], id);
    let gone = json!({"type": "user.deleted", "data": {"id": id}});
    assert_eq!(call(&emulator, Method::POST, path, Some(gone)).await.0, 200);
    assert_eq!(emulator.user(id), None);
    assert_eq!(get(&emulator, "/v1/usersync/session_token?user_id=user_1").await.0, 404);
    emulator.wait_until_idle().await;
    assert!(arrived.lock().unwrap().is_empty());
}

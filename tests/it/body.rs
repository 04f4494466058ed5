//! Bodies that are too large, too slow or never needed: refused early, and nothing is stored.

use crate::support::{Delivery, Engine, TestApp, exchange, message_id, user, user_id};

const MIB: usize = 1024 * 1024;

fn padded(length: usize) -> Vec<u8> {
    let frame = r#"{"type":"x.padded","pad":""}"#;
    let pad = "a".repeat(length - frame.len());
    frame.replace(r#""pad":"""#, &format!(r#""pad":"{pad}""#)).into_bytes()
}

/// `body` in pieces of 64 KiB, each with its length, as chunked transfer writes it.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 1024);
    for chunk in body.chunks(64 * 1024) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

both_engines! {
    async fn a_body_that_announces_too_much_is_refused_before_it_is_sent(app = TestApp::start) {
        let length = format!("content-length: {}", MIB + 1);
        let signed = Delivery::bytes("{}");
        let bare = Delivery { headers: Vec::new(), body: Vec::new() };
        for head in [signed.head(&[&length]), bare.head(&[&length])] {
            let (status, problem) = exchange(&app, head).await;
            assert_eq!((status, &problem["code"]), (413, &"body_too_large".into()));
        }
        assert_eq!(app.database.count("webhook_events"), 0);
    }

    async fn a_chunked_body_is_refused_once_it_is_too_large(app = TestApp::start) {
        let signed = Delivery::bytes(padded(MIB + 1));
        let mut request = signed.head(&["transfer-encoding: chunked"]);
        request.extend(chunked(&signed.body));
        let (status, problem) = exchange(&app, request).await;
        assert_eq!((status, &problem["code"]), (413, &"body_too_large".into()));
        assert_eq!(app.database.count("webhook_events"), 0);
    }

    async fn a_body_of_exactly_one_mebibyte_is_taken(app = TestApp::start) {
        let announced = app.send_bytes(&message_id(), padded(MIB)).await;
        assert_eq!((announced.status.as_u16(), announced.outcome()), (200, "ignored"));
        let garbage = app.send_bytes(&message_id(), vec![b'a'; MIB]).await;
        assert_eq!((garbage.status.as_u16(), garbage.outcome()), (202, "quarantined"));
        let signed = Delivery::bytes(padded(MIB));
        let mut request = signed.head(&["transfer-encoding: chunked"]);
        request.extend(chunked(&signed.body));
        request.extend_from_slice(b"0\r\n\r\n");
        let (status, answer) = exchange(&app, request).await;
        assert_eq!((status, &answer["outcome"]), (200, &"ignored".into()));
    }

    async fn cheap_checks_come_before_the_body_is_read(app = TestApp::start) {
        let signed = Delivery::event(&user(&user_id(1), 1_000));
        let unsigned = signed.clone().without("svix-signature");
        let stale = signed.with("svix-timestamp", "1600000000");
        for (refused, code) in [(unsigned, "missing_header"), (stale, "timestamp_too_old")] {
            let (status, problem) = exchange(&app, refused.head(&["content-length: 500"])).await;
            assert_eq!((status, &problem["code"]), (400, &code.into()));
        }
    }

    async fn an_empty_body_is_genuine_but_no_event(app = TestApp::start) {
        let answer = app.send_bytes(&message_id(), Vec::new()).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (202, Some("invalid_json")));
    }

    async fn trap_9_the_bytes_count_and_not_what_headers_say_of_them(app = TestApp::start) {
        let types = ["text/plain; charset=latin1", "application/x-www-form-urlencoded"];
        for (number, content_type) in types.into_iter().enumerate() {
            let signed = Delivery::event(&user(&user_id(number), 1_000));
            let answer = signed.with("content-type", content_type).post(&app).await;
            assert_eq!(answer.outcome(), "applied", "{content_type}");
        }
    }
}

/// Once is enough for a test that has to wait for the time limit itself.
#[tokio::test]
async fn a_body_that_does_not_come_within_ten_seconds_is_refused() {
    crate::support::run(async {
        let app = TestApp::start(Engine::Sqlite).await;
        let signed = Delivery::event(&user(&user_id(1), 1_000));
        let mut request = signed.head(&["content-length: 500"]);
        request.extend_from_slice(&signed.body[..10]);
        let (status, problem) = exchange(&app, request).await;
        assert_eq!((status, &problem["code"]), (408, &"body_too_slow".into()));
        assert_eq!(app.database.count("webhook_events"), 0);
    })
    .await;
}

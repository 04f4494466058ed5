//! Keys of others, and credentials for something else.

use super::{assert_refused, by_key_set, by_pem, me};
use crate::support::{ADMIN_TOKEN, PARTY, READ_TOKEN, Signer};
use serde_json::json;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

both_engines! {
    async fn a_foreign_key_under_the_right_name_signs_nothing_here(engine) {
        let foreign = Signer::new();
        let (app, tokens) = by_key_set(engine, PARTY).await;
        let forged = foreign.sign(&tokens.header(), &tokens.claims());
        assert_refused(&app, vec![("forged", forged, "token_signature")], &tokens.good()).await;
        let (app, tokens) = by_pem(engine, PARTY).await;
        let forged = foreign.sign(&tokens.header(), &tokens.claims());
        assert_refused(&app, vec![("forged", forged, "token_signature")], &tokens.good()).await;
    }

    async fn keys_that_a_token_brings_or_points_to_are_never_looked_at(engine) {
        let attacker = TcpListener::bind("127.0.0.1:0").unwrap();
        attacker.set_nonblocking(true).unwrap();
        let address = attacker.local_addr().unwrap();
        let url = format!("http://{address}/.well-known/jwks.json");
        let (foreign, (app, tokens)) = (Signer::new(), by_key_set(engine, PARTY).await);
        let mut cases = Vec::new();
        for (kid, code) in [(tokens.header()["kid"].clone(), "token_signature"), (json!("ins_evil"), "token_key_unknown")] {
            for (name, value) in [
                ("jku", json!(url)),
                ("x5u", json!(url)),
                ("jwk", foreign.jwk(kid.as_str().unwrap())),
                ("x5c", json!([foreign.public_pem()])),
                ("iss", json!(format!("http://{address}"))),
            ] {
                let mut header = tokens.header();
                header["kid"] = kid.clone();
                header[name] = value;
                cases.push(("pointing elsewhere", foreign.sign(&header, &tokens.claims()), code));
            }
        }
        let by_kid = [json!(url), json!(format!("../{address}/x")), json!("' OR 1=1")];
        for kid in by_kid {
            let mut header = tokens.header();
            header["kid"] = kid;
            cases.push(("a kid as address", foreign.sign(&header, &tokens.claims()), "token_key_unknown"));
        }
        let pointing = tokens.headed("jku", url);
        assert_refused(&app, cases, &pointing).await;
        assert_eq!(attacker.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody came");
        // A connection would have been seen.
        let _visitor = TcpStream::connect(address).unwrap();
        assert!(attacker.accept().is_ok());
    }

    async fn tokens_of_operators_are_no_sessions_and_sessions_no_operators(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let session = tokens.good();
        for token in [ADMIN_TOKEN, READ_TOKEN] {
            me(&app, token).await.assert_problem(401, "token_malformed");
            app.get_as(token, "/api/clerk/syncUsers").await.assert_problem(401, "token_malformed");
        }
        for path in ["/v1/users", "/v1/write-backs", "/v1/users/user_1", "/v1/nothing"] {
            let answer = app.get_as(&session, path).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (401, "unauthorized"), "{path}");
        }
        assert_eq!(me(&app, &session).await.status, 200);
    }
}

//! Property tests: no text, and no JSON that is properly signed, makes verification panic.

use super::signer::{Signer, claims};
use super::{by_own_key, now};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde_json::{Value, json};

/// Any JSON, with the names that matter among its keys.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        "(RS256|JWT|active|pending|u:pro)".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let names = "(alg|typ|kid|cat|crit|iss|sub|sid|azp|exp|nbf|iat|sts|act|pla|[a-z]*)";
    proptest::collection::btree_map(names, inner, 0..6).prop_map(|map| json!(map))
}

fn verdict(token: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let verdict = runtime.block_on(by_own_key().verify(token, now()));
    verdict.map(|_| ()).map_err(|refused| refused.to_string())
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(128))]

    #[test]
    fn no_text_makes_it_panic(text in ".*", parts in "[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*\\.[A-Za-z0-9_-]*") {
        assert!(verdict(&text).is_err());
        assert!(verdict(&parts).is_err());
    }

    #[test]
    fn no_header_and_no_claims_make_it_panic(header in json_value(), replaced in object(json_value())) {
        let _ = verdict(&Signer::own().sign(&header.to_string(), &replaced.to_string()));
        let mut changed = claims(&[]);
        changed.as_object_mut().unwrap().extend(replaced.as_object().unwrap().clone());
        let _ = verdict(&Signer::own().token(&changed));
    }
}

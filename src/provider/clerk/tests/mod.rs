//! Tests of parsing events. What a delivery changes is tested end to end, with the fixtures.

mod export;
pub(super) mod stub;

use super::Clerk;
use crate::domain::{
    AllowedValues, Change, EntitlementName, Entitlements, IgnoreReason, MetadataNames,
    QuarantineReason, Snapshot,
};
use crate::provider::{Event, EventEffect};
use crate::webhook::Verified;

pub(super) fn clerk(instances: &[&str]) -> Clerk {
    let policy = |known: &[&str], default: &str| AllowedValues {
        known: known.iter().map(|word| EntitlementName::parse(word).unwrap()).collect(),
        default: EntitlementName::parse(default).unwrap(),
    };
    Clerk {
        instances: instances.iter().map(|id| (*id).to_owned()).collect(),
        entitlements: Entitlements {
            roles: policy(&["user", "admin"], "user"),
            plans: policy(&[], "free"),
        },
        names: MetadataNames::default(),
    }
}

fn parse(body: &str) -> Event {
    clerk(&[]).parse(&Verified::from_quarantine("msg_1".into(), body.to_owned().into()))
}

fn snapshot(data: &str) -> Snapshot {
    match parse(&format!(r#"{{"type":"user.updated","data":{data}}}"#)).effect {
        EventEffect::Change(Change::Snapshot(snapshot)) => *snapshot,
        other => panic!("no snapshot: {other:?}"),
    }
}

#[test]
fn trap_5_the_type_decides_before_the_shape_does() {
    let event = parse(r#"{"type":"email.created","data":[1],"timestamp":"x","instance_id":7}"#);
    assert_eq!(event.effect, EventEffect::Ignored(IgnoreReason::EventType));
    assert_eq!(event.event_type, "email.created");
}

#[test]
fn trap_17_only_the_id_is_required_and_null_equals_absent() {
    let bare = snapshot(r#"{"id":"user_1"}"#);
    let nulls = snapshot(
        r#"{"id":"user_1","email_addresses":null,"phone_numbers":[null],"public_metadata":null,"banned":null,"updated_at":null,"new":{"x":1}}"#,
    );
    assert_eq!(bare, nulls);
    assert_eq!(bare.version.updated_at_ms, 0);
}

#[test]
fn trap_11_the_primary_address_is_chosen_by_its_id() {
    let user = snapshot(
        r#"{"id":"user_1","primary_email_address_id":"b","email_addresses":[
            {"id":"a","email_address":"a@example.org","verification":{"status":"verified"}},
            {"id":"b","email_address":"B@example.org","verification":null}]}"#,
    );
    assert_eq!(user.profile.email.as_deref(), Some("B@example.org"));
    assert!(!user.profile.email_verified);
}

#[test]
fn trap_12_a_dangling_primary_falls_back_to_a_verified_address_only() {
    let user = |status: &str| {
        let address = format!(
            r#"{{"id":"a","email_address":"a@example.org","verification":{{"status":"{status}"}}}}"#
        );
        snapshot(&format!(
            r#"{{"id":"user_1","primary_email_address_id":"gone","email_addresses":[{address}]}}"#
        ))
    };
    assert_eq!(user("unverified").profile.email, None);
    assert_eq!(user("verified").profile.email.as_deref(), Some("a@example.org"));
}

#[test]
fn a_wrong_type_is_located_and_its_value_is_not_shown() {
    for (data, path) in [
        (r#"{"id":7}"#, "data.id"),
        ("[]", "data"),
        (
            r#"{"id":"user_1","email_addresses":[{"id":"a"},{"email_address":["x"]}]}"#,
            "data.email_addresses[1].email_address",
        ),
        (r#"{"id":"user_1","email_addresses":[["a","b"]]}"#, "data.email_addresses[0]"),
        (r#"{"id":"user_1","updated_at":1.5}"#, "data.updated_at"),
        (r#"{"id":"user_1","public_metadata":"x"}"#, "data.public_metadata"),
    ] {
        let effect = parse(&format!(r#"{{"type":"user.created","data":{data}}}"#)).effect;
        let located = EventEffect::Malformed(QuarantineReason::WrongType, Some(path.to_owned()));
        assert_eq!(effect, located, "{data}");
    }
}

#[test]
fn trap_24_events_of_another_instance_are_ignored() {
    let parse = |instance: &str| {
        let body = format!(
            r#"{{"type":"user.deleted","data":{{"id":"user_1"}},"instance_id":{instance}}}"#
        );
        clerk(&["ins_1"]).parse(&Verified::from_quarantine("m".into(), body.into())).effect
    };
    assert_eq!(parse(r#""ins_2""#), EventEffect::Ignored(IgnoreReason::WrongInstance));
    assert!(matches!(parse(r#""ins_1""#), EventEffect::Change(Change::Deletion { .. })));
    assert!(matches!(parse("null"), EventEffect::Change(Change::Deletion { .. })));
}

#[test]
fn metadata_has_one_form_whatever_the_order_of_its_keys() {
    let one = snapshot(r#"{"id":"user_1","public_metadata":{"b":1, "a":{"d":1,"c":2}}}"#);
    let two = snapshot(r#"{"id":"user_1","public_metadata":{"a":{"c":2,"d":1},"b":1}}"#);
    assert_eq!(one.profile.public_metadata, r#"{"a":{"c":2,"d":1},"b":1}"#);
    assert_eq!(one.version.digest, two.version.digest);
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_panic(body in ".*") {
        let _ = parse(&body);
    }

    #[test]
    fn no_data_makes_it_panic(data in r#"\{"id":"user_[a-z]{1,3}"(,"(email_addresses|updated_at|public_metadata|locked)":[\[\]{}0-9a-z".e-]{0,12}){0,3}\}"#) {
        let _ = parse(&format!(r#"{{"type":"user.created","data":{data}}}"#));
    }
}

//! Decides what the provider should be sent about a user: the row's id, the role, and an overridden
//! plan.
//!
//! Called by `sync` before and after it calls the provider. Write-back *fills*: a value at the
//! provider is replaced only where an operator overrode it, or took the user over. So a user that
//! agrees costs nothing, and an echo of a write costs nothing (trap 26). Private and unsafe
//! metadata are never touched (trap 29).

use super::entitlements::AllowedValues;
use serde_json::{Map, Value};
use strum::IntoStaticStr;

/// The names of the values in the provider's public metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataNames {
    pub id: String,
    pub role: String,
    pub plan: String,
}

impl Default for MetadataNames {
    fn default() -> Self {
        Self { id: "dbId".into(), role: "role".into(), plan: "plan".into() }
    }
}

/// What to send. `None` is left out: for the provider `null` deletes the key (trap 28).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataPatch {
    pub id: Option<String>,
    pub role: Option<String>,
    pub plan: Option<String>,
}

impl MetadataPatch {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn object(&self, names: &MetadataNames) -> Map<String, Value> {
        let fields = [(&names.id, &self.id), (&names.role, &self.role), (&names.plan, &self.plan)];
        fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.clone(), Value::String(value.clone()?))))
            .collect()
    }

    /// Whether the provider's public metadata hold all of it.
    pub fn is_in(&self, public_metadata: &Map<String, Value>, names: &MetadataNames) -> bool {
        self.object(names).iter().all(|(name, value)| public_metadata.get(name) == Some(value))
    }
}

/// Why a differing value at the provider is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(prefix = "conflict_", serialize_all = "snake_case")]
pub enum Conflict {
    /// Another service, or another database, wrote the id.
    Id,
    /// The role is not a known one.
    Role,
}

impl Conflict {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The columns of a row that decide a write-back.
#[derive(Clone, Copy, Debug)]
pub struct WriteBackInput<'a> {
    pub id: &'a str,
    /// An override that the provider has not acknowledged.
    pub set_role: Option<&'a str>,
    pub set_plan: Option<&'a str>,
    pub public_metadata: &'a Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBackPlan {
    /// Empty where the provider holds all that it should.
    pub patch: MetadataPatch,
    /// Why the rest is not sent.
    pub conflict: Option<Conflict>,
}

/// Compares the provider's values with those it should have.
pub fn plan(
    input: WriteBackInput<'_>,
    names: &MetadataNames,
    roles: &AllowedValues,
    take_over: bool,
) -> WriteBackPlan {
    let held = |name: &str| input.public_metadata.get(name).filter(|value| !value.is_null());
    let mut plan = WriteBackPlan::default();
    match held(&names.id) {
        Some(Value::String(id)) if id == input.id => {}
        Some(_) if !take_over => plan.conflict = Some(Conflict::Id),
        _ => plan.patch.id = Some(input.id.to_owned()),
    }
    let role = held(&names.role);
    plan.patch.role = match (input.set_role, role) {
        (Some(chosen), _) => differs(role, chosen),
        (None, Some(Value::String(word))) if roles.knows(word) => None,
        (None, Some(_)) if !take_over => {
            plan.conflict = plan.conflict.or(Some(Conflict::Role));
            None
        }
        (None, _) => Some(roles.effective(None)),
    };
    plan.patch.plan = input.set_plan.and_then(|chosen| differs(held(&names.plan), chosen));
    plan
}

/// `chosen`, unless the provider holds it.
fn differs(held: Option<&Value>, chosen: &str) -> Option<String> {
    (held.and_then(Value::as_str) != Some(chosen)).then(|| chosen.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Conflict, MetadataNames, MetadataPatch, WriteBackInput, WriteBackPlan, plan};
    use crate::domain::{AllowedValues, EntitlementName};
    use serde_json::{Value, json};

    fn plan_for(metadata: &Value, set_role: Option<&str>, take_over: bool) -> WriteBackPlan {
        let role = |word| EntitlementName::parse(word).unwrap();
        let roles =
            AllowedValues { known: vec![role("user"), role("admin")], default: role("user") };
        let public_metadata = metadata.as_object().unwrap();
        let input = WriteBackInput { id: "7", set_role, set_plan: Some("pro"), public_metadata };
        plan(input, &MetadataNames::default(), &roles, take_over)
    }

    fn fill(id: Option<&str>, role: Option<&str>, plan: Option<&str>) -> MetadataPatch {
        let text = |word: Option<&str>| word.map(str::to_owned);
        MetadataPatch { id: text(id), role: text(role), plan: text(plan) }
    }

    #[test]
    fn trap_26_a_user_that_agrees_costs_nothing() {
        let held = json!({"dbId": "7", "role": "admin", "plan": "pro", "theme": "dark"});
        assert_eq!(plan_for(&held, None, false), WriteBackPlan::default());
        assert_eq!(plan_for(&held, Some("admin"), false), WriteBackPlan::default());
    }

    #[test]
    fn what_is_missing_or_null_is_filled() {
        let all = fill(Some("7"), Some("user"), Some("pro"));
        assert_eq!(plan_for(&json!({}), None, false).patch, all);
        assert_eq!(plan_for(&json!({"dbId": null, "role": null}), None, false).patch, all);
        assert_eq!(plan_for(&json!({}), Some("admin"), false).patch.role.as_deref(), Some("admin"));
    }

    #[test]
    fn only_an_operators_choice_replaces_a_word_that_is_there() {
        let held = json!({"dbId": "7", "role": "user", "plan": "free"});
        let plan = plan_for(&held, Some("admin"), false);
        assert_eq!((plan.patch, plan.conflict), (fill(None, Some("admin"), Some("pro")), None));
    }

    #[test]
    fn another_id_or_an_unknown_role_is_a_conflict_until_it_is_taken_over() {
        for id in [json!("8"), json!(7), json!("")] {
            let held = json!({"dbId": id, "role": "user"});
            let plan = plan_for(&held, None, false);
            assert_eq!((plan.patch.id, plan.conflict), (None, Some(Conflict::Id)));
            assert_eq!(plan_for(&held, None, true).patch.id.as_deref(), Some("7"));
        }
        for role in [json!("wizard"), json!(true)] {
            let held = json!({"dbId": "7", "role": role});
            let plan = plan_for(&held, None, false);
            assert_eq!((plan.patch.role, plan.conflict), (None, Some(Conflict::Role)));
            assert_eq!(plan_for(&held, Some("admin"), false).conflict, None);
            assert_eq!(plan_for(&held, None, true).patch.role.as_deref(), Some("user"));
        }
    }

    #[test]
    fn what_was_sent_is_in_metadata_that_show_every_word_of_it() {
        let sent = fill(Some("7"), Some("admin"), None);
        let is_in = |held: Value| sent.is_in(held.as_object().unwrap(), &MetadataNames::default());
        assert!(is_in(json!({"dbId": "7", "role": "admin", "theme": "dark"})));
        assert!(!is_in(json!({"dbId": "7", "role": "user"})) && !is_in(json!({"role": "admin"})));
        assert!(!is_in(json!({"dbId": 7, "role": "admin"})) && !is_in(json!({})));
    }

    #[test]
    fn trap_28_what_is_not_written_is_not_mentioned() {
        let object = fill(None, Some("admin"), None).object(&MetadataNames::default());
        assert_eq!(Value::Object(object), json!({"role": "admin"}));
    }
}

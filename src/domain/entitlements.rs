//! Roles and plans: which names are known, and which one counts.
//!
//! Each is three columns: the name in the winning snapshot's `public_metadata`, an operator's
//! override, and the effective value. That is a function of the first two and the configuration,
//! never of what the row had before.

/// The name of a role or a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitlementName(String);

impl EntitlementName {
    /// Accepts only what matches `[A-Za-z0-9._-]{1,64}`.
    pub fn parse(word: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=64).contains(&word.len()) && word.bytes().all(known);
        fits.then(|| Self(word.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What configuration goes on with beside a problem that it reports.
impl Default for EntitlementName {
    fn default() -> Self {
        Self("user".to_owned())
    }
}

/// The roles, or the plans, that configuration knows.
#[derive(Clone, Debug)]
pub struct AllowedValues {
    /// Empty: any well-formed name is known.
    pub known: Vec<EntitlementName>,
    /// What a user has without a known name.
    pub default: EntitlementName,
}

impl AllowedValues {
    pub fn knows(&self, word: &str) -> bool {
        EntitlementName::parse(word)
            .is_some_and(|role| self.known.is_empty() || self.known.contains(&role))
    }

    /// The effective name without an override: the source's where it is known, else the default.
    pub fn effective(&self, source: Option<&str>) -> String {
        match source {
            Some(word) if self.knows(word) => word.to_owned(),
            _ => self.default.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AllowedValues, EntitlementName};

    fn role(word: &str) -> EntitlementName {
        EntitlementName::parse(word).unwrap()
    }

    #[test]
    fn an_unknown_word_falls_back_to_the_default() {
        let roles =
            AllowedValues { known: vec![role("user"), role("admin")], default: role("user") };
        assert_eq!(roles.effective(Some("admin")), "admin");
        assert_eq!(roles.effective(Some("wizard")), "user");
        assert_eq!(roles.effective(None), "user");
    }

    #[test]
    fn where_any_word_is_known_it_still_has_to_be_well_formed() {
        let plans = AllowedValues { known: vec![], default: role("free") };
        assert_eq!(plans.effective(Some("gold")), "gold");
        assert_eq!(plans.effective(Some("drop table")), "free");
        assert_eq!(plans.effective(Some(&"x".repeat(65))), "free");
    }
}

//! The claims of a session token: which are accepted, and the session that they describe.
//!
//! Called by [`super::Sessions`] with claims that are known to be signed. Pure: the time is
//! an argument.

use super::token::SignedClaims;
use super::{Session, SessionError};
use crate::domain::text::LONGEST_ID_BYTES;
use crate::domain::{EntitlementName, Timestamp};
use crate::provider::json::{Integer, object, typed};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Tolerance between two clocks: the provider's own five seconds (trap 39: a minute on a token of a
/// minute would double its life).
const SKEW_MS: i64 = 5_000;

#[derive(Clone, Debug)]
pub(super) struct ClaimPolicy {
    pub(super) issuer: String,
    /// The accepted origins; empty accepts any.
    pub(super) parties: Vec<String>,
}

/// A session whose claims were accepted; later only its times are checked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VerifiedSession {
    pub(super) session: Session,
    not_before_seconds: Option<i64>,
}

impl ClaimPolicy {
    pub(super) fn check(
        &self,
        signed: &SignedClaims,
        now: Timestamp,
    ) -> Result<VerifiedSession, SessionError> {
        let claims: Claims<'_> = object(signed.claims()).ok_or(SessionError::TokenMalformed)?;
        let external_id = claims.subject()?;
        // Trap 39: a token of a JWT template names no session.
        let session_id = id(claims.sid, SessionError::TokenCategory)?;
        self.check_origin(&claims)?;
        let expires_at_seconds = seconds(claims.exp)?.ok_or(SessionError::TokenMalformed)?;
        let session = Session {
            external_id,
            session_id,
            expires_at_seconds,
            issued_at_seconds: seconds(claims.iat)?,
            impersonated_by: claims.actor()?,
            plan_claim: claims.plan(),
        };
        let not_before_seconds = seconds(claims.nbf)?;
        let verified = VerifiedSession { session, not_before_seconds };
        verified.check_times(now)?;
        claims.check_status()?;
        Ok(verified)
    }

    fn check_origin(&self, claims: &Claims<'_>) -> Result<(), SessionError> {
        let issuer: Option<String> = typed(claims.iss, SessionError::TokenIssuer)?;
        if issuer.as_ref() != Some(&self.issuer) {
            return Err(SessionError::TokenIssuer);
        }
        let party: Option<String> = typed(claims.azp, SessionError::TokenParty)?;
        // Trap 40: an origin is compared exactly, and where origins are configured a token without
        // one is refused.
        let matches = party.is_some_and(|party| self.parties.contains(&party));
        if self.parties.is_empty() || matches { Ok(()) } else { Err(SessionError::TokenParty) }
    }
}

impl VerifiedSession {
    pub(super) fn check_times(&self, now: Timestamp) -> Result<(), SessionError> {
        let milliseconds = |seconds: i64| seconds.saturating_mul(1000);
        let ahead = |seconds: i64| milliseconds(seconds) > now.as_millis() + SKEW_MS;
        let expires_at = milliseconds(self.session.expires_at_seconds);
        if expires_at <= now.as_millis() - SKEW_MS {
            Err(SessionError::TokenExpired)
        } else if self.not_before_seconds.is_some_and(ahead) {
            Err(SessionError::TokenNotYetValid)
        } else if self.session.issued_at_seconds.is_some_and(ahead) {
            Err(SessionError::TokenIssuedInTheFuture)
        } else {
            Ok(())
        }
    }
}

/// All other claims, custom ones and `aud` among them, are ignored. `null` equals absent: the provider
/// fills claims from whatever a user has.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Option<&'a RawValue>,
    sub: Option<&'a RawValue>,
    sid: Option<&'a RawValue>,
    azp: Option<&'a RawValue>,
    exp: Option<&'a RawValue>,
    nbf: Option<&'a RawValue>,
    iat: Option<&'a RawValue>,
    sts: Option<&'a RawValue>,
    act: Option<&'a RawValue>,
    pla: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Actor<'a> {
    #[serde(borrow)]
    sub: Option<&'a RawValue>,
}

impl Claims<'_> {
    fn subject(&self) -> Result<String, SessionError> {
        let subject = id(self.sub, SessionError::TokenSubject)?;
        // A machine has no session.
        if subject.starts_with("mch_") { Err(SessionError::TokenCategory) } else { Ok(subject) }
    }

    /// Trap 42: a pending session has not signed in. Old tokens have no status.
    fn check_status(&self) -> Result<(), SessionError> {
        let status: Option<String> = typed(self.sts, SessionError::SessionPending)?;
        match status.as_deref() {
            None | Some("active") => Ok(()),
            Some(_) => Err(SessionError::SessionPending),
        }
    }

    fn actor(&self) -> Result<Option<String>, SessionError> {
        let Some(raw) = self.act else {
            return Ok(None);
        };
        let actor: Actor<'_> = object(raw.get().as_bytes()).ok_or(SessionError::TokenMalformed)?;
        id(actor.sub, SessionError::TokenMalformed).map(Some)
    }

    /// The plan of the user's own scope: `u:pro`, also beside an organisation's as in
    /// `o:team,u:pro`. `None` for a word that is no plan.
    fn plan(&self) -> Option<String> {
        // It says nothing about who the user is: a claim that cannot be read is ignored.
        let plans: Option<String> = typed(self.pla, SessionError::TokenMalformed).ok().flatten();
        let own = |plan: &str| {
            let (scope, word) = plan.trim().split_once(':')?;
            let word = scope.contains('u').then(|| EntitlementName::parse(word))??;
            Some(word.as_str().to_owned())
        };
        plans.and_then(|plans| plans.split(',').find_map(own))
    }
}

/// A count of seconds (trap 39: 32 bits end in 2038, and no number may cause an overflow).
fn seconds(claim: Option<&RawValue>) -> Result<Option<i64>, SessionError> {
    let number: Option<Integer> = typed(claim, SessionError::TokenMalformed)?;
    number.map(|number| number.to_i64().ok_or(SessionError::TokenMalformed)).transpose()
}

/// An id that any database can store, and index.
fn id(claim: Option<&RawValue>, error: SessionError) -> Result<String, SessionError> {
    let usable = |id: &String| (1..=LONGEST_ID_BYTES).contains(&id.len()) && !id.contains('\0');
    typed(claim, error)?.filter(usable).ok_or(error)
}

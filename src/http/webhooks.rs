//! `POST /webhooks/clerk`: verifies a delivery, submits it, and answers with its outcome.
//!
//! Called by the route table. Cheap checks come first: length, headers and timestamp before the body is
//! read, the signature before anything is parsed. Nothing here decides what a delivery changes.

use super::delivery_body::{self, InFlight};
use super::{AppState, Problem};
use crate::domain::Outcome;
use crate::ingest::{DeliveryOutcome, Ingest, Unavailable};
use crate::provider::{Event, Provider};
use crate::telemetry::{Metrics, Throttle};
use crate::webhook::headers::SignedHeaders;
use crate::webhook::{Rejection, SigningSecrets, verify};
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long a request waits for its commit before it is answered 503; the provider waits 15 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a delivery waits for a database that is being prepared. A database that is away is told
/// sooner.
const PREPARED_WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn receive(
    state: Data<AppState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let arrival = Arrival { instant: Instant::now(), seconds: state.machine_now().as_seconds() };
    if !state.readiness.is_prepared_within(PREPARED_WITHIN).await {
        state.metrics.count_unavailable(Unavailable::NotRunning.code());
        return Err(Unavailable::NotRunning.into());
    }
    let answer = state.webhooks.receive(&request, payload, arrival).await?;
    let mut response =
        if answer.quarantined { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    Ok(response.json(answer))
}

/// When the headers of a request arrived.
#[derive(Clone, Copy)]
pub struct Arrival {
    instant: Instant,
    /// Since 1970, by this machine's clock.
    seconds: i64,
}

/// Verifies the deliveries of one provider and submits them to ingest.
pub struct WebhookReceiver {
    secrets: SigningSecrets,
    provider: Provider,
    /// Whether the configuration names the instances; then `provider` ignores events of others.
    instances_known: bool,
    first_instance: OnceLock<String>,
    in_flight: InFlight,
    ingest: Ingest,
    metrics: Arc<Metrics>,
    rejections: Throttle,
    slow: Throttle,
    second_instance: Throttle,
}

/// The body of a 200 or 202.
#[derive(Debug, Serialize)]
pub struct DeliveryAnswer {
    outcome: &'static str,
    event_id: String,
    user_id: Option<String>,
    reason: Option<&'static str>,
    /// Then the status is 202.
    #[serde(skip)]
    pub quarantined: bool,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum WebhookError {
    /// The request is not a valid delivery.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The provider should send it again.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl WebhookReceiver {
    pub fn new(
        secrets: SigningSecrets,
        provider: Provider,
        instances_known: bool,
        ingest: Ingest,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            secrets,
            provider,
            instances_known,
            first_instance: OnceLock::new(),
            in_flight: InFlight::default(),
            ingest,
            metrics,
            rejections: Throttle::default(),
            slow: Throttle::default(),
            second_instance: Throttle::default(),
        }
    }

    pub async fn receive(
        &self,
        request: &HttpRequest,
        payload: Payload,
        arrival: Arrival,
    ) -> Result<DeliveryAnswer, WebhookError> {
        let result = self.verify_and_submit(request, payload, arrival).await;
        let started = arrival.instant;
        match &result {
            Ok(_) => self.metrics.observe_delivery(started.elapsed()),
            Err(WebhookError::Unavailable(reason)) => self.record_unavailable(*reason, started),
            Err(WebhookError::Rejected(rejection)) => self.record_rejection(*rejection, started),
        }
        result
    }

    async fn verify_and_submit(
        &self,
        request: &HttpRequest,
        payload: Payload,
        arrival: Arrival,
    ) -> Result<DeliveryAnswer, WebhookError> {
        let length = request.headers().get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        delivery_body::check_length(length)?;
        let values = |name: &str| request.headers().get_all(name).map(HeaderValue::as_bytes);
        let headers = SignedHeaders::read(|name| values(name).collect())?;
        headers.check_timestamp(arrival.seconds)?;
        let body = delivery_body::read(payload, &self.in_flight).await?;

        let delivery = verify::verify(headers, body, &self.secrets)?;
        let event = self.provider.parse(&delivery);
        self.report_second_instance(&event);

        let event_id = delivery.message_id().to_owned();
        let time_left = ANSWER_WITHIN.saturating_sub(arrival.instant.elapsed());
        let reply = tokio::time::timeout(time_left, self.ingest.submit(delivery, event)).await;
        let DeliveryOutcome { outcome, user_id } = reply.unwrap_or(Err(Unavailable::Slow))?;
        Ok(DeliveryAnswer {
            outcome: outcome.as_str(),
            event_id,
            user_id,
            reason: outcome.reason(),
            quarantined: matches!(outcome, Outcome::Quarantined(_)),
        })
    }

    /// Counts it, and logs what nobody else does: a commit that does not end has no error.
    fn record_unavailable(&self, reason: Unavailable, now: Instant) {
        self.metrics.count_unavailable(reason.code());
        if reason == Unavailable::Slow
            && let Some(suppressed) = self.slow.pass(now)
        {
            let seconds = ANSWER_WITHIN.as_secs();
            tracing::error!(
                suppressed,
                "deliveries are answered 503, the database does not answer within {seconds} s"
            );
        }
    }

    /// Counts and logs a rejection, so that the operator finds a wrong secret soon.
    fn record_rejection(&self, rejection: Rejection, now: Instant) {
        self.metrics.count_rejection(rejection.code());
        if let Some(suppressed) = self.rejections.pass(now) {
            let code = rejection.code();
            tracing::warn!(code, suppressed, "a webhook request was rejected: {rejection}");
        }
    }

    /// Without `CLERK_INSTANCE_ID`, a second instance is most likely a mistake: a development
    /// instance that posts to production.
    fn report_second_instance(&self, event: &Event) {
        let Some(instance) = event.instance.as_ref().filter(|_| !self.instances_known) else {
            return;
        };
        if self.first_instance.get_or_init(|| instance.clone()) != instance {
            self.metrics.count_other_instance_event();
            if let Some(suppressed) = self.second_instance.pass(Instant::now()) {
                tracing::warn!(
                    suppressed,
                    instance,
                    "events of a second instance arrive; name the right one in CLERK_INSTANCE_ID"
                );
            }
        }
    }
}

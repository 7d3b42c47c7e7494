//! The choice of the traces to send: by `OTEL_TRACES_SAMPLER`, with a limit on traces that other services sampled.
//!
//! The sender of a request can mark its trace as sampled. Without a limit, strangers could have every request sent to
//! the collector of an operator who configured a tenth of them, and fill the queue that the other spans need.

use std::sync::Arc;

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Config, SamplingDecision, SamplingResult, ShouldSample};
use service_base::buckets::Bucket;
use service_base::clock::Clock;
use service_base::rate::Rate;

/// The limit on traces that are sent only because another service sampled them: the rate in a second, and the burst.
const MAX_SENT_FOR_OTHERS: Rate = Rate::per_second(20, 20);

/// The sampler of the environment. A trace that it would not sample itself is sent if another service sampled it, up to
/// the limit.
#[derive(Debug, Clone)]
pub(super) struct BoundedSampler {
    own: Box<dyn ShouldSample>,
    of_others: Arc<Bucket>,
    clock: Clock,
}

impl BoundedSampler {
    /// The sampler that the variables of OpenTelemetry name, bounded.
    pub(super) fn from_environment() -> Self {
        Self::new(Config::default().sampler, Clock::system())
    }

    fn new(own: Box<dyn ShouldSample>, clock: Clock) -> Self {
        Self { own, of_others: Arc::new(Bucket::default()), clock }
    }
}

impl ShouldSample for BoundedSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let decided = self.own.should_sample(parent, trace, name, kind, attributes, links);
        let is_of_another =
            parent.is_some_and(|parent| parent.has_active_span() && parent.span().span_context().is_remote());
        if !is_of_another || decided.decision == SamplingDecision::Drop {
            return decided;
        }
        let alone = self.own.should_sample(None, trace, name, kind, attributes, links);
        let is_sent = alone.decision != SamplingDecision::Drop
            || self.of_others.take(MAX_SENT_FOR_OTHERS, self.clock.now().as_unix_millis());
        if is_sent { decided } else { alone }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};
    use opentelemetry_sdk::trace::Sampler;

    use super::*;

    const TRACE: TraceId = TraceId::from_bytes([7; 16]);

    /// Whether a request is sampled whose `traceparent` has these flags.
    fn samples(sampler: &BoundedSampler, flags: Option<TraceFlags>) -> bool {
        let parent = flags.map_or_else(Context::new, |flags| {
            let of_sender =
                SpanContext::new(TRACE, SpanId::from_bytes([7; 8]), flags, true, TraceState::default());
            Context::new().with_remote_span_context(of_sender)
        });
        let result = sampler.should_sample(Some(&parent), TRACE, "GET other", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    fn bounded(own: Sampler) -> BoundedSampler {
        let clock = Clock::system();
        clock.freeze(None);
        BoundedSampler::new(Box::new(Sampler::ParentBased(Box::new(own))), clock)
    }

    #[test]
    fn strangers_have_twenty_traces_a_second_sent_that_would_not_be_and_not_one_more() {
        let sampler = bounded(Sampler::AlwaysOff);
        let sent = || (0..100).filter(|_| samples(&sampler, Some(TraceFlags::SAMPLED))).count();
        assert_eq!((sent(), sent()), (20, 0));
        sampler.clock.advance(Duration::from_secs(1));
        assert_eq!(sent(), 20);
        assert!(!samples(&sampler, None) && !samples(&sampler, Some(TraceFlags::NOT_SAMPLED)));
    }

    #[test]
    fn what_is_sent_anyway_has_no_bound_and_a_trace_that_its_sender_does_not_sample_is_not_sent() {
        let sampler = bounded(Sampler::AlwaysOn);
        assert!((0..100).all(|_| samples(&sampler, Some(TraceFlags::SAMPLED))));
        assert!(samples(&sampler, None) && !samples(&sampler, Some(TraceFlags::NOT_SAMPLED)));
    }
}

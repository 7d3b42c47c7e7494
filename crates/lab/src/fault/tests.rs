use super::*;

fn refused(json: &str) -> String {
    match serde_json::from_str::<Fault>(json) {
        Ok(fault) => fault.check().expect_err(json).to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_fault_that_means_nothing_is_refused_with_the_member_that_is_wrong() {
    for (json, member) in [
        (r#"{"effect":"status"}"#, "`status`"),
        (r#"{"effect":"status","status":199}"#, "`status`"),
        (r#"{"effect":"status","status":600}"#, "`status`"),
        (r#"{"effect":"close","status":503}"#, "`status`"),
        (r#"{"effect":"delay"}"#, "`delay_ms`"),
        (r#"{"effect":"delay","delay_ms":60001}"#, "`delay_ms`"),
        (r#"{"effect":"delay","delay_ms":9,"delay_up_to_ms":8}"#, "`delay_up_to_ms`"),
        (r#"{"effect":"close","delay_up_to_ms":8}"#, "`delay_up_to_ms`"),
        (r#"{"effect":"slow_body","bytes":0}"#, "`bytes`"),
        (r#"{"effect":"close","bytes":1}"#, "`bytes`"),
        (r#"{"effect":"cut_body","pause_ms":1}"#, "`pause_ms`"),
        (r#"{"effect":"content_type"}"#, "`content_type`"),
        (r#"{"effect":"content_type","content_type":"a\nb"}"#, "`content_type`"),
        (r#"{"effect":"close","content_type":"text/html"}"#, "`content_type`"),
        (r#"{"effect":"lose"}"#, "`effect`"),
        (r#"{"effect":"reset","target":"callbacks"}"#, "`effect`"),
        (r#"{"effect":"lose","target":"callbacks","resource":"dids"}"#, "`resource`"),
        (r#"{"effect":"delay","delay_ms":1,"serve":true}"#, "`serve`"),
        (r#"{"effect":"close","first":0}"#, "`first`"),
        (r#"{"effect":"close","times":0}"#, "`times`"),
        (r#"{"effect":"close","probability":1.1}"#, "`probability`"),
        (r#"{"effect":"close","method":"PO ST"}"#, "`method`"),
        (r#"{"effect":"close","path":""}"#, "`path`"),
        (r#"{"effect":"close","body":"x"}"#, "`body`"),
        (r#"{"effect":"no_answer"}"#, "`effect`"),
        (r#"{"effect":"close","target":"calls"}"#, "`effect`"),
        (r#"{"effect":"no_answer","target":"calls","method":"INVITE"}"#, "`method`"),
        (r#"{"effect":"close","trunk":"00000000-0000-4000-8000-000000000000"}"#, "`trunk`"),
        (r#"{"effect":"status","target":"calls","status":299}"#, "`status`"),
        (r#"{"effect":"status","target":"calls","status":700}"#, "`status`"),
        (r#"{"effect":"status","target":"calls","status":486,"body":"x"}"#, "`body`"),
        (r#"{"effect":"packet_loss","target":"calls"}"#, "`loss`"),
        (r#"{"effect":"packet_loss","target":"calls","loss":0}"#, "`loss`"),
        (r#"{"effect":"packet_loss","target":"calls","loss":1.01}"#, "`loss`"),
        (r#"{"effect":"lost_ack","target":"calls","loss":0.5}"#, "`loss`"),
        (r#"{"effect":"explode"}"#, "explode"),
        (r#"{"effect":"close","paths":"/"}"#, "paths"),
    ] {
        let error = refused(json);
        assert!(error.contains(member), "{json}: {error}");
    }
}

#[test]
fn the_longest_values_are_taken_and_one_more_is_not() {
    let path = |length: usize| Fault::close().path("a".repeat(length)).check();
    assert_eq!(path(1_024), Ok(()));
    assert_eq!(path(1_025).unwrap_err().field, "path");
    let body = |length: usize| {
        let mut fault = Fault::status(500);
        fault.body = Some("a".repeat(length));
        fault.check()
    };
    assert_eq!(body(16 << 10), Ok(()));
    assert_eq!(body((16 << 10) + 1).unwrap_err().field, "body");
    assert_eq!(Fault::delay(Duration::from_mins(1)).check(), Ok(()));
    let late = |to: Duration| Fault::new(Effect::Delay).late_between(Duration::ZERO, to).check();
    assert_eq!(late(Duration::from_mins(1)), Ok(()));
    assert_eq!(late(Duration::from_millis(60_001)).unwrap_err().field, "delay_ms");
    let pause = |pause: Duration| Fault::slow_body(1, pause).check();
    assert_eq!(pause(Duration::from_mins(1)), Ok(()));
    assert_eq!(pause(Duration::from_millis(60_001)).unwrap_err().field, "delay_ms");
    let long = |length: usize| "a".repeat(length);
    let others = |length: usize| {
        [
            ("resource", Fault::close().resource(long(length))),
            ("method", Fault::close().method(long(length))),
            ("content_type", Fault::content_type(long(length))),
        ]
    };
    for (field, fault) in others(1_024) {
        assert_eq!(fault.check(), Ok(()), "{field}");
    }
    for (field, fault) in others(1_025) {
        assert_eq!(fault.check().unwrap_err().field, field);
    }
}

#[test]
fn what_the_builder_makes_is_valid_and_survives_json() {
    let (short, long) = (Duration::from_millis(1), Duration::from_millis(5));
    for fault in [
        Fault::status(503).method("POST").path("/v3/*").nth(2),
        Fault::delay(short).resource("dids"),
        Fault::new(Effect::Delay).late_between(short, long).probability(0.5, 7),
        Fault::close().after_serving().times(3),
        Fault::reset().account(Uuid::nil()),
        Fault::cut_body(0),
        Fault::slow_body(1, short),
        Fault::content_type("text/html"),
        Fault::lost_callback(),
        Fault::status(500).of_callbacks(),
        Fault::status(699).of_calls().path("44*").trunk(Uuid::nil()),
        Fault::delay(short).of_calls(),
        Fault::new(Effect::NoAnswer).of_calls(),
        Fault::new(Effect::OneWayAudio).of_calls(),
        Fault::packet_loss(1.0, 7).nth(1),
    ] {
        assert_eq!(fault.check(), Ok(()), "{fault:?}");
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
    }
}

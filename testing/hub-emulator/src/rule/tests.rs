use super::*;
use crate::license::Defect;
use crate::options::EnvelopeStyle;

#[test]
fn rules_hit_in_order_and_run_out() {
    let mut queue = FaultQueue::default();
    queue.push(FaultRule::times(Endpoint::Renew, 2, Fault::status(503)));
    queue.push(FaultRule::once(Endpoint::Any, Fault::status(500)).method("get"));
    assert_eq!(queue.take(Endpoint::List, "GET"), Some(Fault::status(500)));
    assert_eq!(queue.take(Endpoint::List, "GET"), None);
    assert_eq!(queue.take(Endpoint::Renew, "POST"), Some(Fault::status(503)));
    assert_eq!(queue.take(Endpoint::Renew, "POST"), Some(Fault::status(503)));
    assert_eq!(queue.take(Endpoint::Renew, "POST"), None);
    assert!(queue.rules().is_empty());
}

#[test]
fn skipped_requests_are_let_through() {
    let mut queue = FaultQueue::default();
    queue.push(FaultRule::always(Endpoint::View, Fault::status(500)).after(1));
    assert_eq!(queue.take(Endpoint::View, "GET"), None);
    assert!(queue.take(Endpoint::View, "GET").is_some());
    assert!(queue.take(Endpoint::View, "GET").is_some());
    queue.clear();
    assert_eq!(queue.take(Endpoint::View, "GET"), None);
}

#[test]
fn the_operation_happens_where_the_true_answer_is_only_disfigured() {
    assert!(Fault::license(Defect::Tampered).carries_out());
    assert!(Fault::delivery(Delivery::LostAnswer).carries_out());
    assert!(Fault::delivery(Delivery::CutHalf).carries_out());
    assert!(!Fault::delivery(Delivery::CutBefore).carries_out());
    assert!(!Fault::status(500).carries_out());
    assert!(Fault::status(500).carry_out(true).carries_out());
    assert!(!Fault::answer(FaultAnswer::Html).carries_out());
}

#[test]
fn json_of_a_rule() {
    let rule: FaultRule = serde_json::from_str(
        r#"{"endpoint":"renew","count":2,"delay-ms":50,"framing":"chunked","delivery":{"drip":5},
            "answer":{"status":{"code":403,"envelope":"text","retry-after":30}}}"#,
    )
    .unwrap();
    let status = Fault::status_as(403, EnvelopeStyle::Text).retry_after(30);
    let fault = status.delayed(Duration::from_millis(50)).framed(Framing::Chunked).delivered(Delivery::Drip(5));
    assert_eq!(rule, FaultRule::times(Endpoint::Renew, 2, fault));
    let back: FaultRule = serde_json::from_value(serde_json::to_value(&rule).unwrap()).unwrap();
    assert_eq!(back, rule);
}

#[test]
fn json_defaults_and_mistakes() {
    let rule: FaultRule = serde_json::from_str(r#"{"answer":"html"}"#).unwrap();
    assert_eq!(rule, FaultRule::once(Endpoint::Any, Fault::answer(FaultAnswer::Html)));
    let rule: FaultRule = serde_json::from_str(r#"{"count":null,"answer":{"license":"other-key"}}"#).unwrap();
    assert_eq!(rule, FaultRule::always(Endpoint::Any, Fault::license(Defect::OtherKey)));
    assert!(serde_json::from_str::<FaultRule>(r#"{"answr":"html"}"#).is_err());
    assert!(serde_json::from_str::<FaultRule>(r#"{"answer":"nonsense"}"#).is_err());
}

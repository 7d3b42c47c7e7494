//! Changes that staff make to the `meta` of a record.

use didww_types::values::Money;
use didww_types::{Attribute as _, ResourceSpec};
use serde_json::{Map, Value};

use super::Rulebook;

impl Rulebook {
    /// Returns the `meta` of a record with these members changed; `before` is empty for a new record. The `meta` of a
    /// new record declares the members: booleans, whole numbers from 0, texts, and prices where it has null.
    ///
    /// # Errors
    /// The reason why the first invalid member is refused, as the continuation of a sentence that begins with `meta`.
    pub fn changed_meta(
        self,
        spec: &ResourceSpec,
        before: Map<String, Value>,
        sent: &Map<String, Value>,
    ) -> Result<Map<String, Value>, String> {
        let declared = self.initial_meta(spec).and_then(|text| serde_json::from_str(text).ok());
        let declared: Map<String, Value> = declared.unwrap_or_default();
        let mut meta = declared.clone();
        meta.extend(before);
        for (name, value) in sent {
            match declared.get(name) {
                None => return Err(format!("of {} has no member `{name}`", spec.name)),
                Some(Value::Bool(_)) if !value.is_boolean() => {
                    return Err(format!("has `{name}`, which must be true or false"));
                }
                Some(Value::Null) if !value.is_null() && Money::validate(value).is_err() => {
                    return Err(format!("has `{name}`, which must be an amount such as \"1.5\", or null"));
                }
                Some(Value::String(_)) if !value.is_string() => {
                    return Err(format!("has `{name}`, which must be a text"));
                }
                Some(Value::Number(_)) if value.as_i64().is_none_or(|number| number < 0) => {
                    return Err(format!("has `{name}`, which must be a whole number from 0"));
                }
                Some(_) => meta.insert(name.clone(), value.clone()),
            };
        }
        Ok(meta)
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{Country, DidGroup, EmergencyRequirement};
    use serde_json::json;

    use super::*;

    fn changed(spec: &ResourceSpec, before: &Value, sent: &Value) -> Result<Value, String> {
        let members = |value: &Value| value.as_object().unwrap().clone();
        Rulebook::DIDWW.changed_meta(spec, members(before), &members(sent)).map(Value::Object)
    }

    #[test]
    fn members_that_are_not_sent_stay_or_are_those_of_a_new_record() {
        let new = json!({
            "available_dids_enabled": false, "needs_registration": false, "is_available": true, "total_count": 0
        });
        let first = changed(DidGroup::SPEC, &json!({}), &json!({ "is_available": true })).unwrap();
        assert_eq!(first, new);
        let second = changed(DidGroup::SPEC, &first, &json!({ "total_count": 7 })).unwrap();
        assert_eq!((&second["is_available"], &second["total_count"]), (&json!(true), &json!(7)));
    }

    #[test]
    fn a_price_is_an_amount_or_null() {
        let spec = EmergencyRequirement::SPEC;
        let sent = json!({ "setup_price": "0.0", "monthly_price": null });
        assert_eq!(changed(spec, &json!({}), &sent).unwrap(), sent);
        for wrong in [json!("much"), json!(true), json!("-1")] {
            let why = changed(spec, &json!({}), &json!({ "setup_price": wrong })).unwrap_err();
            assert_eq!(why, "has `setup_price`, which must be an amount such as \"1.5\", or null");
        }
    }

    #[test]
    fn a_member_of_another_kind_or_of_another_type_is_refused() {
        for (sent, why) in [
            (json!({ "total_count": -1 }), "has `total_count`, which must be a whole number from 0"),
            (json!({ "total_count": 1.5 }), "has `total_count`, which must be a whole number from 0"),
            (json!({ "is_available": 1 }), "has `is_available`, which must be true or false"),
            (json!({ "colour": "red" }), "of did_groups has no member `colour`"),
        ] {
            assert_eq!(changed(DidGroup::SPEC, &json!({}), &sent).unwrap_err(), why);
        }
        let why = "of countries has no member `total_count`";
        assert_eq!(changed(Country::SPEC, &json!({}), &json!({ "total_count": 1 })).unwrap_err(), why);
    }
}

//! The masking of bodies in the journal.

use serde_json::Value;
use trunk_server::lab::journal::hidden_json;

/// Hides the secrets of any bytes: nothing more is hidden by a second time, JSON stays JSON, and no password is left in
/// it.
pub fn journal_mask(data: &[u8]) {
    let hidden = hidden_json(data);
    assert_eq!(hidden_json(hidden.as_bytes()), hidden, "what is hidden is hidden");
    if serde_json::from_slice::<Value>(data).is_ok() {
        let shown: Value = serde_json::from_str(&hidden).expect("what was JSON is JSON");
        has_no_password(&shown);
    }
}

fn has_no_password(value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "password" {
                    let is_empty =
                        ["null", "\"\"", "[]", "{}", "\"(hidden)\""].contains(&member.to_string().as_str());
                    assert!(is_empty, "{member}");
                }
                has_no_password(member);
            }
        }
        Value::Array(items) => items.iter().for_each(has_no_password),
        _ => {}
    }
}

/// Bodies with secrets in several places.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds: [&[u8]; 7] = [
        br#"{"data":{"attributes":{"name":"a","password":"p\"q","callback_secret":null}}}"#,
        br#"{"password" : 7, "token":["a",{"b":"c"}],"access_key":{"x":[]}}"#,
        br#"{"pass\u0077ord":"x","url":"https://ann:pw@example.com/a@b","u":"http:\/\/a:b@c"}"#,
        br#"{"password":"cut of"#,
        br#"[{"password":true},{"password":[]},{"secret":{}}]"#,
        br#""password":"no object""#,
        br#"{"a":"\\","password":"\\\\"}"#,
    ];
    seeds.into_iter().map(<[u8]>::to_vec).collect()
}

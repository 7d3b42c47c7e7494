//! DTMF in INFO requests.

use trunk_rules::carrier::{Dtmf, Signal, info_signal};

/// Bodies of both types, behind the type.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "application/dtmf-relay\nSignal=5\r\nDuration=160\r\n",
        "application/dtmf-relay;x=y\nSignal = *\r\n",
        "application/dtmf\n#",
        "application/dtmf\nd=16",
        "text/plain\n1",
        "application/dtmf\n!",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

/// The input is a media type and a body. A key that is read is one of the sixteen.
pub fn dtmf_info(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (kind, body) = text.split_once('\n').unwrap_or((&text, ""));
    let mut dtmf = Dtmf::new(true);
    for kind in [Some(kind), None] {
        if let Ok(Some(signal)) = info_signal(kind, body.as_bytes()) {
            if let Signal::Key(key) = signal {
                assert!("0123456789*#ABCD".contains(key));
            }
            for _ in 0..100 {
                dtmf.info(signal);
            }
        }
    }
    assert!(dtmf.digits.is_some_and(|digits| digits.len() <= 64));
}

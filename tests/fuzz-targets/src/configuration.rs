//! The configuration file.

use trunk_server::config::Config;

use crate::fixtures;

/// The examples of the documentation, and the defaults.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![Config::default().to_toml().into_bytes()];
    for page in ["configuration.md", "calls.md", "voipbin.md", "tokens.md"] {
        let text = std::fs::read_to_string(fixtures::root().join("docs").join(page)).unwrap_or_default();
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        seeds.extend(blocks.map(|block| block.as_bytes().to_vec()));
    }
    seeds.push(
        b"database = \"a\\u200b.db\"\n[sip]\nrates = [{ prefix = \"44\", per_minute = \"0.01\" }]\n".to_vec(),
    );
    seeds.push(
        b"listen = \"\\u007f:1\"\n[[sip.far_end]]\nprefix = \"1\"\nthen = \"486\"\nring = 1e3\n".to_vec(),
    );
    seeds.push(b"[voipbin]\nrtp_ports = [2000, 3000]\n[voipbin.hosts]\n\"a b\" = \"edge\"\n".to_vec());
    seeds
}

/// A printed configuration can be parsed, and is the same then.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_toml(text) {
        Ok(config) => {
            let printed = printed(&config);
            let again = Config::from_toml(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
            assert_eq!(self::printed(&again), printed);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The configuration without the secrets, in whose place it says `(hidden)`, and without what is not set.
fn printed(config: &Config) -> String {
    let shown = config.to_toml();
    let is_secret = |line: &&str| line.ends_with(" = \"(hidden)\"") || line.ends_with(" is not set");
    shown.lines().filter(|line| !is_secret(line)).collect::<Vec<_>>().join("\n")
}

//! The `Warning` of a response that refuses media (RFC 3261 §20.43): the standard's codes and texts.

/// A warning code with the standard's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// The code, 300 to 399.
    pub code: u16,
    /// The standard's text for the code.
    pub text: &'static str,
}

impl Warning {
    /// The network address has a format that is not supported.
    pub const NETWORK_ADDRESS_FORMAT: Self = Self { code: 301, text: "Incompatible network address formats" };
    /// The transport profile is not available.
    pub const TRANSPORT_PROTOCOL: Self = Self { code: 302, text: "Incompatible transport protocol" };
    /// The media type is not available.
    pub const MEDIA_TYPE: Self = Self { code: 304, text: "Media type not available" };
    /// None of the media formats is available.
    pub const MEDIA_FORMAT: Self = Self { code: 305, text: "Incompatible media format" };
    /// A media attribute is missing or not supported.
    pub const ATTRIBUTE: Self = Self { code: 306, text: "Attribute not understood" };
    /// Any other reason, which the sentence of the refusal states.
    pub const MISCELLANEOUS: Self = Self { code: 399, text: "Miscellaneous warning" };

    /// The value of the header. Of the agent's name, characters that a host name cannot have are replaced.
    pub fn header(self, agent: &str) -> String {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-.:".contains(character);
        let agent: String =
            agent.chars().map(|character| if allowed(character) { character } else { '-' }).collect();
        let agent = if agent.is_empty() { "-" } else { &agent };
        format!("{} {agent} \"{}\"", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_has_code_agent_and_text() {
        assert_eq!(Warning::MEDIA_FORMAT.header("edge 1\r\n"), "305 edge-1-- \"Incompatible media format\"");
        assert_eq!(Warning::MISCELLANEOUS.header(""), "399 - \"Miscellaneous warning\"");
    }
}

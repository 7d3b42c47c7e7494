//! Declarations that are refused.

use syn::parse::Parser as _;
use syn::{DeriveInput, Type, parse_quote};

use super::Declaration;
use super::options::default_value;

/// Why a type with this attribute is refused; empty if it is not.
fn refusal(attribute: &Type) -> String {
    let input: DeriveInput = parse_quote! {
        #[resource(name = "notes", verbs(get))]
        struct Note {
            #[attr(since = "2026-04-16", default = false, value = bool)]
            flag: #attribute,
        }
    };
    Declaration::read(&input).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn an_attribute_that_begins_after_its_type_and_has_a_default_is_an_option() {
    let why = "must be an `Option`";
    assert!(refusal(&parse_quote!(bool)).contains(why));
    assert!(!refusal(&parse_quote!(Option<bool>)).contains(why));
}

#[test]
fn a_default_is_a_literal_or_an_empty_list() {
    let default = |text: &str| {
        let parsed = default_value.parse_str(text);
        parsed.map_or_else(|error| error.to_string(), |tokens| tokens.to_string().replace(' ', ""))
    };
    assert_eq!(default("true"), "::didww_types::DefaultValue::Boolean(true)");
    assert_eq!(default("30"), "::didww_types::DefaultValue::Integer(30)");
    assert_eq!(default("\"new\""), "::didww_types::DefaultValue::Text(\"new\")");
    assert_eq!(default("[]"), "::didww_types::DefaultValue::EmptyList");
    for wrong in ["[1]", "1.5", "None", "b\"new\""] {
        assert!(default(wrong).contains("a default must be"), "{wrong}");
    }
}

#[test]
fn the_documentation_for_other_readers_has_paragraphs_and_no_links_to_items() {
    let item: DeriveInput = parse_quote! {
        /// A form with a [file](EncryptedFile), as [`Self::name`] has it.
        /// [The page](https://example.com/a) and a list [1] stay.
        ///
        /// It is [open
        struct Form;
    };
    let expected = "A form with a file, as `Self::name` has it. [The page](https://example.com/a) and a list [1] stay.\n\
                    It is [open";
    assert_eq!(super::doc(&item.attrs), expected);
}

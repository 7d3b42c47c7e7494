//! Declarations that are refused.

use syn::{DeriveInput, Type, parse_quote};

use super::Declaration;

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
fn the_documentation_for_other_readers_has_paragraphs_and_no_links_to_items() {
    let item: syn::ItemStruct = syn::parse_quote! {
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

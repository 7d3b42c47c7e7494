//! Refers to another crate than `didww-types` in the output: one that re-exports all its items.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};

/// Replaces the crate's name in every path that begins with `::didww_types`.
pub(crate) fn rename(tokens: TokenStream, exporter: &Ident) -> TokenStream {
    let mut colons = 0;
    let replaced = tokens.into_iter().map(|token| {
        // A bound such as `T: ::didww_types::X` has three.
        let is_at_start = colons >= 2;
        colons = match &token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons + 1,
            _ => 0,
        };
        match token {
            TokenTree::Group(group) => {
                let mut renamed = Group::new(group.delimiter(), rename(group.stream(), exporter));
                renamed.set_span(group.span());
                TokenTree::Group(renamed)
            }
            TokenTree::Ident(ident) if is_at_start && ident == "didww_types" => {
                TokenTree::Ident(exporter.clone())
            }
            other => other,
        }
    });
    replaced.collect()
}

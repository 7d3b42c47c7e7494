//! The derive behind `didww-types`: one annotated struct declares a DIDWW resource.
//!
//! It writes what would be the same forty lines for each resource: the declaration as data, decoding and
//! encoding, the bodies that create and patch, and the typed filters, sorts, includes and fields. It holds no
//! knowledge of any resource.

mod bodies;
mod declaration;
mod query;
mod record;
mod spec;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

/// Declares a resource. The marks are described in `CONTRIBUTING.md`.
#[proc_macro_derive(Resource, attributes(resource, attr, rel, filter, meta, extra))]
pub fn resource(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let declaration = match declaration::Declaration::read(&input) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error().into(),
    };
    let spec = spec::write(&declaration);
    let record = record::write(&declaration);
    let bodies = bodies::write(&declaration);
    let query = query::write(&declaration);
    quote! { #spec #record #bodies #query }.into()
}

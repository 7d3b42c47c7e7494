//! The derive macro of `didww-types`: one annotated struct declares a DIDWW resource.
//!
//! It generates the code that would otherwise be repeated for each resource: the declaration as data,
//! decoding and encoding, the bodies of create and update requests, and the typed filters, sorts, includes
//! and fields. It does not depend on a particular resource.
//!
//! The output refers to `didww-types` by its name. A program that only depends on a crate that re-exports it, such as
//! `didww-client`, names that one: `#[resource(crate = "didww_client")]`.

mod bodies;
mod declaration;
mod exporter;
mod query;
mod record;
mod spec;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

/// Derives `Resource` and its companion types for a struct with named fields.
///
/// The helper attributes `#[resource]`, `#[attr]`, `#[rel]`, `#[filter]`, `#[meta]` and `#[extra]` are
/// described in `CONTRIBUTING.md`. A missing or unknown one is a compile error that lists the valid ones.
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
    let output = quote! { #spec #record #bodies #query };
    match &declaration.exporter {
        Some(exporter) => exporter::rename(output, exporter).into(),
        None => output.into(),
    }
}

//! Generates the typed filters, sorts, includes and fields.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::declaration::{Declaration, Filter, Versions, function_name, variant_name};

pub(crate) fn write(declaration: &Declaration) -> TokenStream {
    let ident = &declaration.ident;
    let sorts: Vec<String> = {
        let attributes = declaration.attributes.iter().filter(|attr| attr.sort).map(|attr| attr.name.clone());
        attributes.chain(declaration.sorts.iter().cloned()).collect()
    };
    let includes: Vec<String> = declaration
        .relationships
        .iter()
        .filter(|rel| !rel.write_only)
        .map(|rel| rel.name.clone())
        .chain(declaration.nested_includes.iter().map(|(path, _)| path.value()))
        .collect();
    let mut fields: Vec<String> = declaration.attributes.iter().map(|attr| attr.name.clone()).collect();
    // A relationship of older versions can have the name of the attribute that replaced it.
    let shown = declaration.relationships.iter().filter(|rel| !rel.write_only);
    let others: Vec<String> = shown.map(|rel| rel.name.clone()).collect();
    fields.extend(
        others.into_iter().filter(|name| declaration.attributes.iter().all(|attr| attr.name != *name)),
    );
    let filters = filters(declaration);
    let sorts = names(
        declaration,
        "Sort",
        &format!("The attributes by which a list of [`{ident}`] can be sorted."),
        &sorts,
    );
    let includes = names(
        declaration,
        "Include",
        &format!("The relationship paths that can be included with a [`{ident}`]."),
        &includes,
    );
    let fields = names(
        declaration,
        "Field",
        &format!("The attributes and relationships of a [`{ident}`] that a request can select."),
        &fields,
    );
    quote! { #filters #sorts #includes #fields }
}

fn names(declaration: &Declaration, suffix: &str, doc: &str, texts: &[String]) -> TokenStream {
    let (name, vis, companion) = (declaration.named(suffix), &declaration.vis, Declaration::companion());
    let variants: Vec<Ident> = texts.iter().map(|text| variant_name(text)).collect();
    let docs = texts.iter().map(|text| format!("`{text}` on the wire."));
    quote! {
        #companion
        #[doc = #doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #vis enum #name { #(#[doc = #docs] #variants,)* }

        impl From<#name> for &'static str {
            fn from(name: #name) -> Self {
                match name { #(#name::#variants => #texts,)* }
            }
        }
    }
}

fn filters(declaration: &Declaration) -> TokenStream {
    let (ident, vis, companion) = (&declaration.ident, &declaration.vis, Declaration::companion());
    let name = declaration.named("Filter");
    let doc = format!("A filter for a list of [`{ident}`], with its value.");
    let constructors = declaration.filters.iter().filter(|filter| !filter.legacy).map(constructor);
    quote! {
        #companion
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq, Eq)]
        #vis struct #name {
            name: &'static str,
            values: Vec<String>,
        }

        #companion
        impl #name { #(#constructors)* }

        impl ::didww_types::Filter for #name {
            fn name(&self) -> &'static str {
                self.name
            }

            fn values(&self) -> &[String] {
                &self.values
            }
        }
    }
}

fn constructor(filter: &Filter) -> TokenStream {
    let Filter { name, value, .. } = filter;
    let function = function_name(name);
    let blank = filter.options.blank.any().then(|| {
        let function = format_ident!("{function}_blank");
        let doc = format!(
            "Matches records whose `{name}` is null or empty (`filter[{name}]` with an empty value)."
        );
        quote! {
            #[doc = #doc]
            pub fn #function() -> Self {
                Self { name: #name, values: vec![String::new()] }
            }
        }
    });
    let one = if filter.options.list.any() {
        let single = match &filter.options.list {
            Versions::Until(_) => " Newer versions of the API take one value only.",
            Versions::Since(_) => " Older versions of the API take one value only.",
            Versions::None | Versions::All => "",
        };
        let several = if filter.options.every.any() {
            "any of several values, of which newer versions of the API require every one"
        } else {
            "any of several values"
        };
        let doc = format!("Matches `filter[{name}]` against one value, or against {several}.{single}");
        quote! {
            #[doc = #doc]
            pub fn #function(values: impl Into<::didww_types::OneOf<#value>>) -> Self {
                Self { name: #name, values: values.into().texts(ToString::to_string) }
            }
        }
    } else {
        let doc = format!("Matches `filter[{name}]` against one value.");
        quote! {
            #[doc = #doc]
            pub fn #function(value: impl Into<#value>) -> Self {
                let value: #value = value.into();
                Self { name: #name, values: vec![ToString::to_string(&value)] }
            }
        }
    };
    quote! { #one #blank }
}

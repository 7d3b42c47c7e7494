//! Parses the options of `#[resource(...)]` of which nothing but a part of the `ResourceSpec` is generated.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{LitInt, LitStr, Path, Result};

use super::Declaration;
use super::options::{texts, texts_with_options, version};

impl Declaration {
    /// Reads an option and adds the call that completes the `ResourceSpec`.
    pub(super) fn read_completion(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let call = if meta.path.is_ident("until") {
            let last = version(&meta.value()?.parse()?)?;
            quote!(.until(#last))
        } else if meta.path.is_ident("formerly") {
            former_name(meta)?
        } else if meta.path.is_ident("singleton") {
            let path: LitStr = meta.value()?.parse()?;
            self.is_singleton = true;
            quote!(.singleton(#path))
        } else if meta.path.is_ident("fixed") {
            let records: Path = meta.value()?.parse()?;
            quote!(.fixed(#records))
        } else if meta.path.is_ident("page_size") {
            let size: LitInt = meta.value()?.parse()?;
            quote!(.page_size(#size))
        } else if meta.path.is_ident("unpaged") {
            quote!(.unpaged())
        } else if meta.path.is_ident("unrouted") {
            quote!(.unrouted())
        } else if meta.path.is_ident("unknown_by_type") {
            quote!(.unknown_by_type())
        } else if meta.path.is_ident("form") {
            let form: Path = meta.value()?.parse()?;
            self.has_form = true;
            quote!(.form(&#form))
        } else if meta.path.is_ident("open") {
            quote!(.open())
        } else if meta.path.is_ident("sample") {
            let most: LitInt = meta.value()?.parse()?;
            quote!(.sample(#most))
        } else if meta.path.is_ident("taken_by") {
            let paths = texts(meta)?;
            quote!(.taken_by(&[#(#paths),*]))
        } else if meta.path.is_ident("priced_by") {
            let member: LitStr = meta.value()?.parse()?;
            quote!(.priced_by(#member))
        } else if meta.path.is_ident("callback_on") {
            let statuses = texts(meta)?;
            quote!(.callback_on(&[#(#statuses),*]))
        } else if meta.path.is_ident("callback_with") {
            let attributes = texts(meta)?;
            quote!(.callback_with(&[#(#attributes),*]))
        } else if meta.path.is_ident("at_most") {
            let most: LitInt = meta.value()?.parse()?;
            quote!(.at_most(#most))
        } else if meta.path.is_ident("expires") {
            let attribute: LitStr = meta.value()?.parse()?;
            quote!(.expires(#attribute))
        } else if meta.path.is_ident("downloads") {
            let suffix: LitStr = meta.value()?.parse()?;
            quote!(.downloads(#suffix))
        } else if meta.path.is_ident("kept_days") {
            let days: LitInt = meta.value()?.parse()?;
            quote!(.kept_days(#days))
        } else if meta.path.is_ident("sorts") {
            self.sorts(meta)?
        } else if meta.path.is_ident("hidden") {
            self.hidden = texts(meta)?;
            return Ok(());
        } else {
            return Err(meta.error(
                "unknown option; known: name, since, until, formerly, verbs, adapter, list_needs, needs, nested_includes, \
                 global, crate, order, page_size, max_page_size, unpaged, unrouted, singleton, fixed, sorts, hidden, open, form, \
                 unknown_by_type, unique_everywhere, sample, taken_by, priced_by, at_most, expires, kept_days, downloads, \
                 callback_on, callback_with",
            ));
        };
        self.completions.push(call);
        Ok(())
    }

    /// `sorts("a.b", "c.d"(by = "e", until = "..."))`.
    fn sorts(&mut self, meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
        let mut sorts = Vec::new();
        for (name, options) in texts_with_options(meta, &["by", "until"])? {
            let mut sort = quote!(::didww_types::SortSpec::of(#name));
            for (option, value) in options {
                sort.extend(if option == "by" {
                    quote!(.by(#value))
                } else {
                    let last = version(&value)?;
                    quote!(.until(#last))
                });
            }
            self.sorts.push(name.value());
            sorts.push(sort);
        }
        Ok(quote!(.sorts({
            const SORTS: &[::didww_types::SortSpec] = &[#(#sorts),*];
            SORTS
        })))
    }
}

/// `formerly(name = "...", until = "...")`, and `downloads = "..."` with them.
fn former_name(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let (mut name, mut until, mut downloads) = (None, None, None);
    meta.parse_nested_meta(|option| {
        if option.path.is_ident("name") {
            name = Some(option.value()?.parse::<LitStr>()?);
        } else if option.path.is_ident("until") {
            until = Some(version(&option.value()?.parse()?)?);
        } else if option.path.is_ident("downloads") {
            downloads = Some(option.value()?.parse::<LitStr>()?);
        } else {
            return Err(option.error("unknown option; known: name, until, downloads"));
        }
        Ok(())
    })?;
    let both = name.zip(until);
    let (name, until) =
        both.ok_or_else(|| meta.error("expected `formerly(name = \"...\", until = \"...\")`"))?;
    let downloads = downloads.map(|suffix| quote!(.former_downloads(#suffix)));
    Ok(quote!(.formerly(#name, #until) #downloads))
}

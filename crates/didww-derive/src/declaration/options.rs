//! Parses the options of the helper attributes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Error, Lit, LitInt, LitStr, Result, Token, Type, bracketed, parenthesized};

/// Whether a create request may, or must, have a member. A required one has a position among the
/// constructor's parameters.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Access {
    Never,
    Optional,
    Required(usize),
}

impl Access {
    pub(crate) fn tokens(self) -> TokenStream {
        match self {
            Self::Never => quote!(::didww_types::Access::Never),
            Self::Optional => quote!(::didww_types::Access::Optional),
            Self::Required(_) => quote!(::didww_types::Access::Required),
        }
    }
}

/// The texts in `name("...", "...")`.
pub(super) fn texts(meta: &ParseNestedMeta<'_>) -> Result<Vec<LitStr>> {
    let content;
    parenthesized!(content in meta.input);
    let texts = content.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?;
    Ok(texts.into_iter().collect())
}

/// A text, and the options that follow it.
type WithOptions = (LitStr, Vec<(Ident, LitStr)>);

/// The texts in `name("...", "..."(option = "..."))`, each with its options, whose names are `known`.
pub(super) fn texts_with_options(meta: &ParseNestedMeta<'_>, known: &[&str]) -> Result<Vec<WithOptions>> {
    let content;
    parenthesized!(content in meta.input);
    let mut texts = Vec::new();
    while !content.is_empty() {
        let text = content.parse()?;
        let mut options = Vec::new();
        if content.peek(syn::token::Paren) {
            let inside;
            parenthesized!(inside in content);
            while !inside.is_empty() {
                let option: Ident = inside.parse()?;
                if !known.iter().any(|name| option == *name) {
                    let message = format!("unknown option; known: {}", known.join(", "));
                    return Err(Error::new(option.span(), message));
                }
                inside.parse::<Token![=]>()?;
                options.push((option, inside.parse()?));
                if !inside.is_empty() {
                    inside.parse::<Token![,]>()?;
                }
            }
        }
        texts.push((text, options));
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(texts)
}

/// The paths in `nested_includes("a.b", "c.d"(until = "..."))`.
pub(super) fn nested_includes(meta: &ParseNestedMeta<'_>) -> Result<Vec<(LitStr, Option<TokenStream>)>> {
    let path = |(path, options): WithOptions| {
        let until = options.last().map(|(_, date)| version(date)).transpose();
        until.map(|until| (path, until))
    };
    texts_with_options(meta, &["until"])?.into_iter().map(path).collect()
}

/// `order(by = "...", since = "...")`.
pub(super) fn order(meta: &ParseNestedMeta<'_>) -> Result<(String, TokenStream)> {
    let (mut by, mut since) = (None, None);
    meta.parse_nested_meta(|option| {
        if option.path.is_ident("by") {
            by = Some(option.value()?.parse::<LitStr>()?.value());
        } else if option.path.is_ident("since") {
            since = Some(version(&option.value()?.parse()?)?);
        } else {
            return Err(option.error("unknown option; known: by, since"));
        }
        Ok(())
    })?;
    by.zip(since).ok_or_else(|| meta.error("expected `order(by = \"...\", since = \"...\")`"))
}

/// The parts of a sum, each `"type.relationship.attribute"`.
pub(super) fn sums(meta: &ParseNestedMeta<'_>) -> Result<Vec<[String; 3]>> {
    let part = |part: LitStr| {
        let names: Vec<String> = part.value().split('.').map(str::to_owned).collect();
        <[String; 3]>::try_from(names)
            .map_err(|_| Error::new(part.span(), "expected `\"type.relationship.attribute\"`"))
    };
    texts(meta)?.into_iter().map(part).collect()
}

/// The relationships of which one contains the record, each `"type.relationship"`: parts of a sum without an attribute.
pub(super) fn referring(meta: &ParseNestedMeta<'_>) -> Result<Vec<[String; 3]>> {
    let part = |part: LitStr| {
        let text = part.value();
        let names = text.split_once('.').filter(|(_, name)| !name.contains('.'));
        let (of, through) =
            names.ok_or_else(|| Error::new(part.span(), "expected `\"type.relationship\"`"))?;
        Ok([of.to_owned(), through.to_owned(), String::new()])
    };
    texts(meta)?.into_iter().map(part).collect()
}

/// `revised(since = "...", value = TYPE)`.
pub(super) fn revision(meta: &ParseNestedMeta<'_>) -> Result<(TokenStream, Type)> {
    let (mut since, mut value) = (None, None);
    meta.parse_nested_meta(|option| {
        if option.path.is_ident("since") {
            since = Some(version(&option.value()?.parse()?)?);
        } else if option.path.is_ident("value") {
            value = Some(option.value()?.parse::<Type>()?);
        } else {
            return Err(option.error("unknown option; known: since, value"));
        }
        Ok(())
    })?;
    since.zip(value).ok_or_else(|| meta.error("expected `revised(since = \"...\", value = TYPE)`"))
}

/// `formerly(name = "...", target = "...", until = "...")`.
pub(super) fn former(meta: &ParseNestedMeta<'_>) -> Result<(String, String, TokenStream)> {
    let (mut name, mut target, mut until) = (None, None, None);
    meta.parse_nested_meta(|option| {
        if option.path.is_ident("name") {
            name = Some(option.value()?.parse::<LitStr>()?.value());
        } else if option.path.is_ident("target") {
            target = Some(option.value()?.parse::<LitStr>()?.value());
        } else if option.path.is_ident("until") {
            until = Some(version(&option.value()?.parse()?)?);
        } else {
            return Err(option.error("unknown option; known: name, target, until"));
        }
        Ok(())
    })?;
    match (name, target, until) {
        (Some(name), Some(target), Some(until)) => Ok((name, target, until)),
        _ => Err(meta.error("expected `formerly(name = \"...\", target = \"...\", until = \"...\")`")),
    }
}

pub(super) fn access(meta: &ParseNestedMeta<'_>) -> Result<Access> {
    if !meta.input.peek(Token![=]) {
        return Ok(Access::Optional);
    }
    let word: Ident = meta.value()?.parse()?;
    if word != "required" {
        return Err(Error::new(
            word.span(),
            "expected `create`, `create = required` or `create = required(n)`",
        ));
    }
    if !meta.input.peek(syn::token::Paren) {
        return Ok(Access::Required(usize::MAX));
    }
    let content;
    parenthesized!(content in meta.input);
    Ok(Access::Required(content.parse::<LitInt>()?.base10_parse()?))
}

/// A literal or `[]`. It is not parsed as an expression, which would need the largest feature of `syn`.
pub(super) fn default_value(input: ParseStream<'_>) -> Result<TokenStream> {
    const EXPECTED: &str = "a default must be a boolean, an integer, a string or `[]`";
    if input.peek(syn::token::Bracket) {
        let content;
        bracketed!(content in input);
        if content.is_empty() {
            return Ok(quote!(::didww_types::DefaultValue::EmptyList));
        }
        return Err(content.error(EXPECTED));
    }
    let value: Lit = input.parse().map_err(|error: Error| Error::new(error.span(), EXPECTED))?;
    match &value {
        Lit::Bool(flag) => Ok(quote!(::didww_types::DefaultValue::Boolean(#flag))),
        Lit::Int(number) => Ok(quote!(::didww_types::DefaultValue::Integer(#number))),
        Lit::Str(text) => Ok(quote!(::didww_types::DefaultValue::Text(#text))),
        other => Err(Error::new_spanned(other, EXPECTED)),
    }
}

pub(super) fn version(date: &LitStr) -> Result<TokenStream> {
    let known = ["2017-09-18", "2021-04-19", "2021-12-15", "2022-05-10", "2026-04-16", "2026-11-19"];
    if !known.contains(&date.value().as_str()) {
        return Err(Error::new(date.span(), format!("unknown version; known: {}", known.join(", "))));
    }
    let variant = Ident::new(&format!("V{}", date.value().replace('-', "_")), Span::call_site());
    Ok(quote!(::didww_types::ApiVersion::#variant))
}

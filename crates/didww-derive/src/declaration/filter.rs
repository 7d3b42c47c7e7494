//! Parses `#[filter(...)]`, and `filter(...)` in an `#[attr]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, LitInt, LitStr, Result, Type};

use super::options::{texts, version};

pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) test: TokenStream,
    pub(crate) value: Type,
    pub(crate) options: FilterOptions,
    pub(crate) legacy: bool,
    /// Whether its value is the id of a record of the account.
    pub(crate) owned: bool,
    /// Whether it is accepted and finds every record.
    pub(crate) unapplied: bool,
    /// The least number of characters of a value, and the filters that permit shorter ones.
    pub(crate) least: Option<(LitInt, Vec<LitStr>)>,
    /// A text of its enumeration that ended, and its last version.
    pub(crate) former: Option<(LitStr, TokenStream)>,
    pub(crate) since: Option<TokenStream>,
    pub(crate) until: Option<TokenStream>,
}

/// The options of a filter that differ between versions.
#[derive(Default)]
pub(crate) struct FilterOptions {
    /// The versions in which the filter takes a list.
    pub(crate) list: Versions,
    /// The versions in which a record must match every value of a list.
    pub(crate) every: Versions,
    /// The versions in which an empty value matches null and empty values.
    pub(crate) blank: Versions,
    /// The first version in which the filter of an attribute searches in its text.
    pub(crate) contains_since: Option<TokenStream>,
    /// Whether the filter of an attribute ignores letter case.
    pub(crate) ignores_case: bool,
    /// The first version in which it does; `None` if every version does.
    pub(crate) ignores_case_since: Option<TokenStream>,
    /// Whether a time of the filter's value stands for the end of its day.
    pub(crate) whole_day: bool,
}

/// The versions that have an option of a filter.
#[derive(Default)]
pub(crate) enum Versions {
    #[default]
    None,
    All,
    Until(TokenStream),
    Since(TokenStream),
}

impl Versions {
    /// Whether any version has the option.
    pub(crate) fn any(&self) -> bool {
        !matches!(self, Self::None)
    }
}

pub(super) fn read_filter(attribute: &Attribute) -> Result<Filter> {
    let (mut name, mut test, mut value, mut since, mut until) = (None, None, None, None, None);
    let (mut options, mut legacy, mut owned) = (FilterOptions::default(), false, false);
    let (mut unapplied, mut former) = (false, None);
    let (mut least, mut unless): (Option<LitInt>, Vec<LitStr>) = (None, Vec::new());
    attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("name") {
            name = Some(meta.value()?.parse::<LitStr>()?.value());
        } else if meta.path.is_ident("id") {
            test = Some(quote!(::didww_types::FilterTest::Id));
        } else if meta.path.is_ident("equals") {
            let path: LitStr = meta.value()?.parse()?;
            test = Some(quote!(::didww_types::FilterTest::Equals(#path)));
        } else if meta.path.is_ident("contains") {
            let path: LitStr = meta.value()?.parse()?;
            test = Some(quote!(::didww_types::FilterTest::Contains(#path)));
        } else if meta.path.is_ident("linked") {
            let path: LitStr = meta.value()?.parse()?;
            test = Some(quote!(::didww_types::FilterTest::Linked(#path)));
        } else if meta.path.is_ident("related") {
            let path: LitStr = meta.value()?.parse()?;
            if !path.value().contains('.') {
                return Err(Error::new(path.span(), "expected relationships and an attribute: `related = \"a.b\"`"));
            }
            test = Some(quote!(::didww_types::FilterTest::Related(#path)));
        } else if meta.path.is_ident("related_meta") {
            let path: LitStr = meta.value()?.parse()?;
            let whole = path.value();
            let Some((path, name)) = whole.rsplit_once('.') else {
                return Err(Error::new(path.span(), "expected relationships and a member: `related_meta = \"a.b\"`"));
            };
            test = Some(quote!(::didww_types::FilterTest::RelatedMeta(#path, #name)));
        } else if meta.path.is_ident("created_from") {
            test = Some(quote!(::didww_types::FilterTest::CreatedFrom));
        } else if meta.path.is_ident("created_until") {
            test = Some(quote!(::didww_types::FilterTest::CreatedUntil));
        } else if meta.path.is_ident("zero") {
            let path: LitStr = meta.value()?.parse()?;
            test = Some(quote!(::didww_types::FilterTest::Zero(#path)));
        } else if meta.path.is_ident("meta") {
            let name: LitStr = meta.value()?.parse()?;
            test = Some(quote!(::didww_types::FilterTest::Meta(#name)));
        } else if meta.path.is_ident("meta_at_least") {
            let name: LitStr = meta.value()?.parse()?;
            test = Some(quote!(::didww_types::FilterTest::MetaAtLeast(#name)));
        } else if meta.path.is_ident("exceeds") {
            let comparison: LitStr = meta.value()?.parse()?;
            let names = comparison.value();
            let Some((greater, less)) = names.split_once(" > ") else {
                return Err(Error::new(comparison.span(), "expected two attributes: `exceeds = \"a > b\"`"));
            };
            test = Some(quote!(::didww_types::FilterTest::Exceeds(#greater, #less)));
        } else if meta.path.is_ident("value") {
            value = Some(meta.value()?.parse::<Type>()?);
        } else if meta.path.is_ident("since") {
            since = Some(version(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("until") {
            until = Some(version(&meta.value()?.parse()?)?);
        } else if meta.path.is_ident("list") {
            options.list = versions(&meta)?;
        } else if meta.path.is_ident("every") {
            options.every = versions(&meta)?;
        } else if meta.path.is_ident("blank") {
            options.blank = versions(&meta)?;
        } else if meta.path.is_ident("legacy") {
            legacy = true;
        } else if meta.path.is_ident("owned") {
            owned = true;
        } else if meta.path.is_ident("unapplied") {
            unapplied = true;
        } else if meta.path.is_ident("whole_day") {
            options.whole_day = true;
        } else if meta.path.is_ident("least") {
            least = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("unless") {
            unless = texts(&meta)?;
        } else if meta.path.is_ident("formerly") {
            former = Some(formerly(&meta)?);
        } else {
            return Err(meta.error(
                "unknown option; known: name, id, equals, contains, linked, related, related_meta, created_from, \
                 created_until, zero, exceeds, meta, meta_at_least, value, since, until, list, every, blank, legacy, owned, \
                 unapplied, whole_day, least, unless, formerly",
            ));
        }
        Ok(())
    })?;
    match (name, test, value) {
        (Some(name), Some(test), Some(value)) => {
            let least = least.map(|least| (least, unless));
            Ok(Filter { name, test, value, options, legacy, owned, unapplied, least, former, since, until })
        }
        _ => Err(Error::new_spanned(
            attribute,
            "a filter needs a name, a test (id, equals, contains, linked, related, related_meta, zero, exceeds, meta \
             or meta_at_least) and a value",
        )),
    }
}

/// The options of `filter(...)` in an `#[attr]`.
pub(super) fn filter_options(meta: &ParseNestedMeta<'_>) -> Result<FilterOptions> {
    let mut options = FilterOptions::default();
    if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|option| {
            if option.path.is_ident("list") {
                options.list = versions(&option)?;
            } else if option.path.is_ident("blank") {
                options.blank = versions(&option)?;
            } else if option.path.is_ident("contains") {
                options.contains_since = Some(since(&option)?);
            } else if option.path.is_ident("ignores_case") {
                options.ignores_case = true;
                if option.input.peek(syn::token::Paren) {
                    options.ignores_case_since = Some(since(&option)?);
                }
            } else {
                return Err(option.error("unknown option; known: list, blank, contains, ignores_case"));
            }
            Ok(())
        })?;
    }
    Ok(options)
}

/// `list`, `list(until = "...")` or `list(since = "...")`.
fn versions(meta: &ParseNestedMeta<'_>) -> Result<Versions> {
    let mut versions = Versions::All;
    if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|option| {
            let is_last = option.path.is_ident("until");
            if !is_last && !option.path.is_ident("since") {
                return Err(option.error("unknown option; known: since, until"));
            }
            let limit = version(&option.value()?.parse()?)?;
            versions = if is_last { Versions::Until(limit) } else { Versions::Since(limit) };
            Ok(())
        })?;
    }
    Ok(versions)
}

/// `formerly(text = "...", until = "...")`.
fn formerly(meta: &ParseNestedMeta<'_>) -> Result<(LitStr, TokenStream)> {
    let (mut text, mut until) = (None, None);
    meta.parse_nested_meta(|option| {
        if option.path.is_ident("text") {
            text = Some(option.value()?.parse::<LitStr>()?);
        } else if option.path.is_ident("until") {
            until = Some(version(&option.value()?.parse()?)?);
        } else {
            return Err(option.error("unknown option; known: text, until"));
        }
        Ok(())
    })?;
    text.zip(until).ok_or_else(|| meta.error("expected `formerly(text = \"...\", until = \"...\")`"))
}

/// `contains(since = "...")`.
fn since(meta: &ParseNestedMeta<'_>) -> Result<TokenStream> {
    let mut since = None;
    meta.parse_nested_meta(|option| {
        if !option.path.is_ident("since") {
            return Err(option.error("unknown option; known: since"));
        }
        since = Some(version(&option.value()?.parse()?)?);
        Ok(())
    })?;
    since.ok_or_else(|| meta.error("expected `contains(since = \"...\")`"))
}

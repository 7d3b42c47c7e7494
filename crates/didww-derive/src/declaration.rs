//! Parses the annotated struct.

mod attr;
mod filter;
mod options;
mod resource;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::meta::ParseNestedMeta;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, GenericArgument, Lit, LitInt, LitStr,
    Path, PathArguments, Result, Token, Type, Visibility, parenthesized,
};

use filter::read_filter;
use options::{access, former, nested_includes, order, texts, version};

pub(crate) use filter::{Filter, Versions};
pub(crate) use options::Access;

/// The parsed declaration of a resource.
pub(crate) struct Declaration {
    pub(crate) ident: Ident,
    /// The struct's visibility, which its companions have too.
    pub(crate) vis: Visibility,
    pub(crate) doc: String,
    pub(crate) name: String,
    pub(crate) since: TokenStream,
    pub(crate) verbs: Vec<Ident>,
    /// The verbs that are newer than the resource, with their first versions.
    pub(crate) later_verbs: Vec<(Ident, TokenStream)>,
    pub(crate) adapter: Option<Path>,
    pub(crate) list_needs: Option<Ident>,
    /// The feature that every operation needs, and the version from which on.
    pub(crate) needs: Option<(Ident, TokenStream)>,
    /// Dotted include paths, each with the last version that has it, if it ended.
    pub(crate) nested_includes: Vec<(LitStr, Option<TokenStream>)>,
    pub(crate) global: bool,
    /// Whether each account has exactly one record.
    pub(crate) is_singleton: bool,
    /// Whether a form creates the records, so that there is no body of a create.
    pub(crate) has_form: bool,
    /// The attribute that orders lists without sort criteria, and the first version in which it does.
    pub(crate) order: Option<(String, TokenStream)>,
    pub(crate) max_page_size: Option<LitInt>,
    /// Dotted paths whose values are unique among the records of all accounts.
    pub(crate) unique_paths: Vec<LitStr>,
    /// Calls that complete the `ResourceSpec`, for options of which nothing else is generated.
    pub(crate) completions: Vec<TokenStream>,
    /// The names of sort criteria that are not attributes of the type.
    pub(crate) sorts: Vec<String>,
    /// The names of relationships that no version has. Each is also the type of its members.
    pub(crate) hidden: Vec<LitStr>,
    /// The crate by whose name the output refers to `didww-types`, if it is another one that re-exports it.
    pub(crate) exporter: Option<Ident>,
    pub(crate) attributes: Vec<Attr>,
    pub(crate) relationships: Vec<Rel>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) meta: Option<(Ident, Type)>,
    pub(crate) extra: Option<Ident>,
}

pub(crate) struct Attr {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// The type inside `Option`, for a nullable attribute.
    pub(crate) inner: Option<Type>,
    pub(crate) doc: String,
    pub(crate) create: Access,
    pub(crate) update: bool,
    pub(crate) since: Option<TokenStream>,
    pub(crate) shown_since: Option<TokenStream>,
    /// The last version before them whose answers show the attribute too.
    pub(crate) shown_until: Option<TokenStream>,
    pub(crate) default: Option<TokenStream>,
    /// The first version with the default: in older ones it is null.
    pub(crate) default_since: Option<TokenStream>,
    pub(crate) unique: bool,
    pub(crate) unique_everywhere: bool,
    /// The name under which several types share the values of the attribute, each of which only one record can have.
    pub(crate) unique_among: Option<LitStr>,
    /// Whether a create request without the attribute lacks a parameter.
    pub(crate) parameter: bool,
    /// Whether an update changes those members of an object that it has.
    pub(crate) merged: bool,
    /// Whether only requests have the attribute.
    pub(crate) write_only: bool,
    pub(crate) sort: bool,
    /// The type whose validation and kind apply to values that are sent, if it is not that of the field.
    pub(crate) value: Option<Type>,
    /// The version from which the kind and the validation of another type apply.
    pub(crate) revision: Option<(TokenStream, Type)>,
    /// Texts of the attribute's enumeration, each with the feature of the account that it needs.
    pub(crate) values_need: Vec<(String, Ident)>,
    /// Types of the attribute's objects that only answers have.
    pub(crate) answered: Vec<LitStr>,
    /// Type, relationship and attribute of each part of a sum.
    pub(crate) sums: Vec<[String; 3]>,
    /// The decimals whose total the attribute is.
    pub(crate) total: Vec<LitStr>,
}

pub(crate) struct Rel {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    /// The record type inside `ToOne` or `ToMany`.
    pub(crate) record: Type,
    pub(crate) target: String,
    /// A further type that the related record can have.
    pub(crate) or: Option<LitStr>,
    pub(crate) many: bool,
    pub(crate) doc: String,
    pub(crate) create: Access,
    pub(crate) update: bool,
    /// Whether only requests have the relationship.
    pub(crate) write_only: bool,
    /// Whether a body that names a member twice is refused.
    pub(crate) distinct: bool,
    pub(crate) since: Option<TokenStream>,
    pub(crate) until: Option<TokenStream>,
    pub(crate) feature: Option<Ident>,
    /// Name, type and last version of an older name.
    pub(crate) former: Option<(String, String, TokenStream)>,
    /// The attribute whose text identifies the related record.
    pub(crate) mirrors: Option<LitStr>,
    /// The relationship of the members that contains the record.
    pub(crate) inverse: Option<LitStr>,
}

impl Declaration {
    pub(crate) fn read(input: &DeriveInput) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(input, "a resource must be a struct"));
        };
        let Fields::Named(fields) = &data.fields else {
            return Err(Error::new_spanned(input, "a resource must be a struct with named fields"));
        };
        let mut declaration = Self {
            ident: input.ident.clone(),
            vis: input.vis.clone(),
            doc: doc(&input.attrs),
            name: String::new(),
            since: quote!(::didww_types::ApiVersion::V2017_09_18),
            verbs: Vec::new(),
            later_verbs: Vec::new(),
            adapter: None,
            list_needs: None,
            needs: None,
            nested_includes: Vec::new(),
            global: false,
            is_singleton: false,
            has_form: false,
            order: None,
            max_page_size: None,
            unique_paths: Vec::new(),
            completions: Vec::new(),
            sorts: Vec::new(),
            hidden: Vec::new(),
            exporter: None,
            attributes: Vec::new(),
            relationships: Vec::new(),
            filters: Vec::new(),
            meta: None,
            extra: None,
        };
        for attribute in &input.attrs {
            if attribute.path().is_ident("resource") {
                attribute.parse_nested_meta(|meta| declaration.read_resource(&meta))?;
            } else if attribute.path().is_ident("filter") {
                declaration.filters.push(read_filter(attribute)?);
            }
        }
        if declaration.name.is_empty() {
            return Err(Error::new_spanned(&input.ident, "missing `#[resource(name = \"...\")]`"));
        }
        for field in &fields.named {
            declaration.read_field(field)?;
        }
        let written = declaration.verbs.iter().find(|verb| *verb != "List" && *verb != "Get");
        if let (true, Some(verb)) = (declaration.global, written) {
            return Err(Error::new(verb.span(), "no account can write the records of a global type"));
        }
        declaration.filters.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(declaration)
    }

    fn read_resource(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("name") {
            self.name = meta.value()?.parse::<LitStr>()?.value();
        } else if meta.path.is_ident("since") {
            self.since = version(&meta.value()?.parse()?)?;
        } else if meta.path.is_ident("adapter") {
            self.adapter = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("list_needs") {
            self.list_needs = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("needs") {
            let content;
            parenthesized!(content in meta.input);
            let feature = content.parse()?;
            content.parse::<Token![,]>()?;
            self.needs = Some((feature, version(&content.parse()?)?));
        } else if meta.path.is_ident("verbs") {
            meta.parse_nested_meta(|verb| {
                let ident = verb.path.require_ident()?;
                let name = match ident.to_string().as_str() {
                    "list" => "List",
                    "get" => "Get",
                    "create" => "Create",
                    "update" => "Update",
                    "delete" => "Delete",
                    _ => return Err(verb.error("unknown verb; known: list, get, create, update, delete")),
                };
                let name = Ident::new(name, ident.span());
                self.verbs.push(name.clone());
                if !verb.input.peek(syn::token::Paren) {
                    return Ok(());
                }
                verb.parse_nested_meta(|option| {
                    if !option.path.is_ident("since") {
                        return Err(option.error("unknown option; known: since"));
                    }
                    self.later_verbs.push((name.clone(), version(&option.value()?.parse()?)?));
                    Ok(())
                })
            })?;
        } else if meta.path.is_ident("global") {
            self.global = true;
        } else if meta.path.is_ident("order") {
            self.order = Some(order(meta)?);
        } else if meta.path.is_ident("max_page_size") {
            self.max_page_size = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("unique_everywhere") {
            self.unique_paths = texts(meta)?;
        } else if meta.path.is_ident("crate") {
            self.exporter = Some(meta.value()?.parse::<LitStr>()?.parse()?);
        } else if meta.path.is_ident("nested_includes") {
            self.nested_includes = nested_includes(meta)?;
        } else {
            return self.read_completion(meta);
        }
        Ok(())
    }

    fn read_field(&mut self, field: &Field) -> Result<()> {
        let Some(ident) = field.ident.clone() else { return Ok(()) };
        if ident == "id" {
            return Ok(());
        }
        for attribute in &field.attrs {
            if attribute.path().is_ident("attr") {
                return self.read_attr(ident, field, attribute);
            } else if attribute.path().is_ident("rel") {
                return self.read_rel(ident, field, attribute);
            } else if attribute.path().is_ident("meta") {
                self.meta = Some((ident, field.ty.clone()));
                return Ok(());
            } else if attribute.path().is_ident("extra") {
                self.extra = Some(ident);
                return Ok(());
            }
        }
        Err(Error::new_spanned(field, "the field needs #[attr], #[rel], #[meta] or #[extra]"))
    }

    fn read_attr(&mut self, ident: Ident, field: &Field, attribute: &Attribute) -> Result<()> {
        let mut attr = Attr::new(ident, field);
        let mut filter = None;
        if !matches!(attribute.meta, syn::Meta::Path(_)) {
            attribute.parse_nested_meta(|meta| attr.read(&meta, &mut filter))?;
        }
        let is_computed = !attr.sums.is_empty() || !attr.total.is_empty();
        if is_computed && (attr.update || attr.create != Access::Never) {
            return Err(Error::new_spanned(
                attribute,
                "a sum, a total and what is referred to are computed, so that no request can write them",
            ));
        }
        if attr.since.is_some() && attr.default.is_some() && attr.inner.is_none() {
            let why = "an attribute that begins after its type must be an `Option`: a response of an older version \
                       does not have it, and its default would be invented. `value` is the type of a write";
            return Err(Error::new_spanned(&field.ty, why));
        }
        if let Some(options) = filter {
            let name = attr.name.clone();
            let path = if options.ignores_case { format!("{name}~") } else { name.clone() };
            self.filters.push(Filter {
                test: quote!(::didww_types::FilterTest::Equals(#path)),
                name,
                value: attr.inner.clone().unwrap_or_else(|| attr.ty.clone()),
                options,
                legacy: false,
                owned: false,
                unapplied: false,
                least: None,
                former: None,
                since: attr.since.clone(),
                until: None,
            });
        }
        self.attributes.push(attr);
        Ok(())
    }

    fn read_rel(&mut self, ident: Ident, field: &Field, attribute: &Attribute) -> Result<()> {
        let (record, many) = match (argument_of(&field.ty, "ToOne"), argument_of(&field.ty, "ToMany")) {
            (Some(record), _) => (record, false),
            (_, Some(record)) => (record, true),
            _ => return Err(Error::new_spanned(&field.ty, "a relationship must be a `ToOne` or a `ToMany`")),
        };
        let mut rel = Rel {
            name: ident.to_string(),
            ident,
            record,
            target: String::new(),
            or: None,
            many,
            doc: doc(&field.attrs),
            create: Access::Never,
            update: false,
            write_only: false,
            distinct: false,
            since: None,
            until: None,
            feature: None,
            former: None,
            mirrors: None,
            inverse: None,
        };
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("one") || meta.path.is_ident("many") {
                if meta.path.is_ident("many") != many {
                    return Err(meta.error("use `one` for a `ToOne` and `many` for a `ToMany`"));
                }
                rel.target = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("or") {
                if many {
                    return Err(meta.error("only the one member of a `ToOne` can have a further type"));
                }
                rel.or = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("create") {
                rel.create = access(&meta)?;
            } else if meta.path.is_ident("update") {
                rel.update = true;
            } else if meta.path.is_ident("write_only") {
                rel.write_only = true;
            } else if meta.path.is_ident("distinct") {
                rel.distinct = true;
            } else if meta.path.is_ident("since") {
                rel.since = Some(version(&meta.value()?.parse()?)?);
            } else if meta.path.is_ident("until") {
                rel.until = Some(version(&meta.value()?.parse()?)?);
            } else if meta.path.is_ident("feature") {
                rel.feature = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("formerly") {
                rel.former = Some(former(&meta)?);
            } else if meta.path.is_ident("name") {
                rel.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("inverse") {
                rel.inverse = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("mirrors") {
                rel.mirrors = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error(
                    "unknown option; known: one, or, many, name, create, update, write_only, distinct, since, until, \
                     feature, formerly, mirrors, inverse",
                ));
            }
            Ok(())
        })?;
        if rel.target.is_empty() {
            return Err(Error::new_spanned(attribute, "missing `one = \"type\"` or `many = \"type\"`"));
        }
        self.relationships.push(rel);
        Ok(())
    }

    /// The attributes of everything that a program may leave unused: it seldom needs all of a resource.
    pub(crate) fn companion() -> TokenStream {
        quote!(#[allow(dead_code, reason = "a program may use a part of the generated items")])
    }

    pub(crate) fn has(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    pub(crate) fn named(&self, suffix: &str) -> Ident {
        format_ident!("{}{suffix}", self.ident)
    }
}

/// The documentation of an item for readers of other texts than rustdoc's: a line for each paragraph, and no link to an
/// item.
fn doc(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta.require_name_value().ok()?.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        })
        .collect();
    let paragraphs: Vec<String> = lines.split(String::is_empty).map(|lines| lines.join(" ")).collect();
    without_links_to_items(paragraphs.join("\n").trim())
}

/// The text without links that only rustdoc resolves: those to items, such as `[text](Item)` and ``[`Item`]``, become
/// their texts.
fn without_links_to_items(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, linked)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((label, behind)) = linked.split_once(']') else {
            plain.push('[');
            rest = linked;
            continue;
        };
        match behind.strip_prefix('(').and_then(|behind| behind.split_once(')')) {
            Some((target, behind)) if !target.contains("://") && !target.starts_with('#') => {
                plain.push_str(label);
                rest = behind;
            }
            None if label.starts_with('`') => {
                plain.push_str(label);
                rest = behind;
            }
            _ => {
                plain.push('[');
                rest = linked;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn argument_of(ty: &Type, wrapper: &str) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner.clone()),
        other => Some(Type::Verbatim(other.to_token_stream())),
    }
}

/// The function name for a wire name such as `did_group.id`.
pub(crate) fn function_name(name: &str) -> Ident {
    format_ident!("{}", name.replace('.', "_"))
}

/// The name of an enum variant for a wire name such as `did_group.id`.
pub(crate) fn variant_name(name: &str) -> Ident {
    let mut variant = String::new();
    for word in name.split(['_', '.']) {
        let mut letters = word.chars();
        variant.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        variant.extend(letters);
    }
    format_ident!("{variant}")
}

#[cfg(test)]
mod tests;

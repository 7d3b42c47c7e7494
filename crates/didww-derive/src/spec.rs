//! Generates the declaration as data, a `ResourceSpec`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::declaration::{Attr, Declaration, Filter, Rel, Versions};

pub(crate) fn write(declaration: &Declaration) -> TokenStream {
    let Declaration { ident, doc, name, since, verbs, global, unique_paths, completions, .. } = declaration;
    let (later, firsts): (Vec<_>, Vec<_>) =
        declaration.later_verbs.iter().map(|(verb, first)| (verb, first)).unzip();
    let nested_includes = declaration.nested_includes.iter().map(|(path, until)| {
        let until = until.as_ref().map(|version| quote!(.until(#version)));
        quote!(::didww_types::NestedInclude::of(#path)#until)
    });
    let order = declaration.order.as_ref().map_or(quote!(None), |(by, since)| quote!(Some((#by, #since))));
    let max_page_size = declaration.max_page_size.as_ref().map(|size| quote!(.max_page_size(#size)));
    let attributes = declaration.attributes.iter().map(attribute);
    let hidden = declaration.hidden.iter().map(|name| {
        quote!(::didww_types::RelationshipSpec::of(#name, "In no version; for filters and rules.", #name, true).hidden())
    });
    let relationships = declaration.relationships.iter().map(relationship).chain(hidden);
    let same_targets = declaration.relationships.iter().map(|rel| {
        let (record, target) = (&rel.record, &rel.target);
        let message = format!("`{}` has another Rust type than `{target}`", rel.name);
        quote! {
            const _: () = assert!(
                ::didww_types::derive_support::same_name(
                    <#record as ::didww_types::Named>::TYPE.as_bytes(),
                    #target.as_bytes(),
                ),
                #message
            );
        }
    });
    let filters = declaration.filters.iter().map(filter);
    let has_meta = declaration.meta.is_some();
    let adapter = declaration.adapter.as_ref().map_or(quote!(None), |path| quote!(Some(&#path)));
    let list_needs =
        declaration.list_needs.as_ref().map_or(quote!(None), |f| quote!(Some(::didww_types::Feature::#f)));
    let needs = declaration
        .needs
        .as_ref()
        .map_or(quote!(None), |(feature, since)| quote!(Some((::didww_types::Feature::#feature, #since))));
    let constant = declaration.named("Declaration");
    quote! {
        impl ::didww_types::Named for #ident {
            const TYPE: &'static str = #name;
        }

        #(#same_targets)*

        #[expect(non_upper_case_globals, reason = "the name cannot clash with a hand-written one")]
        static #constant: ::didww_types::ResourceSpec = {
            const ATTRIBUTES: &[::didww_types::AttributeSpec] = &[#(#attributes),*];
            const RELATIONSHIPS: &[::didww_types::RelationshipSpec] = &[#(#relationships),*];
            const FILTERS: &[::didww_types::FilterSpec] = &[#(#filters),*];
            const NESTED_INCLUDES: &[::didww_types::NestedInclude] = &[#(#nested_includes),*];
            ::didww_types::ResourceSpec::of(#name, #doc, #since)
                .verbs(&[#(::didww_types::Verb::#verbs),*])
                .later_verbs(&[#((::didww_types::Verb::#later, #firsts)),*])
                .members(ATTRIBUTES, RELATIONSHIPS)
                .filters(FILTERS)
                .nested_includes(NESTED_INCLUDES)
                .global(#global)
                .has_meta(#has_meta)
                .list_needs(#list_needs)
                .needs(#needs)
                .adapter(#adapter)
                .order(#order)
                #max_page_size
                .unique_paths(&[#(#unique_paths),*])
                #(#completions)*
        };
    }
}

fn attribute(attr: &Attr) -> TokenStream {
    let Attr { name, doc, .. } = attr;
    let ty = attr.value.as_ref().unwrap_or(&attr.ty);
    let create = attr.create.tokens();
    let update = attr.update.then(|| quote!(.update()));
    let since = attr.since.as_ref().map(|version| quote!(.since(#version)));
    let shown = attr.shown_since.as_ref().map(|version| quote!(.shown_since(#version)));
    let shown_before = attr.shown_until.as_ref().map(|version| quote!(.shown_until(#version)));
    let default = attr.default.as_ref().map(|value| quote!(.default(#value)));
    let default_since = attr.default_since.as_ref().map(|version| quote!(.default_since(#version)));
    let unique = attr.unique.then(|| quote!(.unique()));
    let everywhere = attr.unique_everywhere.then(|| quote!(.unique_everywhere()));
    let among = attr.unique_among.as_ref().map(|space| {
        let path = format!("{name}@{}", space.value());
        quote!(.unique_among(#path))
    });
    let parameter = attr.parameter.then(|| quote!(.parameter()));
    let merged = attr.merged.then(|| quote!(.merged()));
    let sort = attr.sort.then(|| quote!(.sort()));
    let write_only = attr.write_only.then(|| quote!(.write_only()));
    let parts = attr.sums.iter().map(|[of, through, attribute]| {
        quote!(::didww_types::Sum { of: #of, through: #through, attribute: #attribute })
    });
    let revised = attr.revision.as_ref().map(|(since, value)| quote!(.revised::<#value>(#since)));
    let (values, features): (Vec<_>, Vec<_>) =
        attr.values_need.iter().map(|(value, feature)| (value, feature)).unzip();
    let values_need = (!values.is_empty())
        .then(|| quote!(.values_need(&[#((#values, ::didww_types::Feature::#features)),*])));
    let types = &attr.answered;
    let answered = (!types.is_empty()).then(|| quote!(.answered(&[#(#types),*])));
    let sums = (!attr.sums.is_empty()).then(|| quote!(.sums(&[#(#parts),*])));
    let terms = &attr.total;
    let total = (!terms.is_empty()).then(|| quote!(.total(&[#(#terms),*])));
    quote! { ::didww_types::AttributeSpec::of::<#ty>(#name, #doc).create(#create) #update #since #shown #shown_before #default #default_since #unique #everywhere #among #parameter #merged #sort #write_only #sums #total #revised #values_need #answered }
}

fn relationship(rel: &Rel) -> TokenStream {
    let Rel { name, target, many, doc, .. } = rel;
    let create = rel.create.tokens();
    let update = rel.update.then(|| quote!(.update()));
    let or = rel.or.as_ref().map(|target| quote!(.or(#target)));
    let write_only = rel.write_only.then(|| quote!(.write_only()));
    let distinct = rel.distinct.then(|| quote!(.distinct()));
    let since = rel.since.as_ref().map(|version| quote!(.since(#version)));
    let feature = rel.feature.as_ref().map(|feature| quote!(.feature(::didww_types::Feature::#feature)));
    let until = rel.until.as_ref().map(|version| quote!(.until(#version)));
    let former = rel.former.as_ref().map(|(name, target, until)| {
        quote!(.formerly(::didww_types::FormerName { name: #name, target: #target, until: #until }))
    });
    let inverse = rel.inverse.as_ref().map(|name| quote!(.inverse(#name)));
    let mirrors = rel.mirrors.as_ref().map(|attribute| quote!(.mirrors(#attribute)));
    quote! { ::didww_types::RelationshipSpec::of(#name, #doc, #target, #many).create(#create) #or #update #write_only #distinct #since #until #feature #former #mirrors #inverse }
}

fn filter(filter: &Filter) -> TokenStream {
    let Filter { name, test, value, .. } = filter;
    let list = versions(&filter.options.list);
    let blank = versions(&filter.options.blank);
    let every = filter.options.every.any().then(|| {
        let every = versions(&filter.options.every);
        quote!(.every(#every))
    });
    let contains = filter.options.contains_since.as_ref().map(|version| quote!(.contains_since(#version)));
    let owned = filter.owned.then(|| quote!(.owned()));
    let least = filter.least.as_ref().map(|(least, unless)| quote!(.least(#least, &[#(#unless),*])));
    let former = filter.former.as_ref().map(|(text, until)| quote!(.former_text(#text, #until)));
    let legacy = filter.legacy.then(|| quote!(.legacy()));
    let unapplied = filter.unapplied.then(|| quote!(.unapplied()));
    let whole_day = filter.options.whole_day.then(|| quote!(.whole_day()));
    let case = filter.options.ignores_case_since.as_ref();
    let case = case.map(|version| quote!(.ignores_case_since(#version)));
    let since = filter.since.as_ref().map(|version| quote!(.since(#version)));
    let until = filter.until.as_ref().map(|version| quote!(.until(#version)));
    quote! {
        ::didww_types::FilterSpec::of(#name, #test, <#value as ::didww_types::Attribute>::KIND)
            .list(#list).blank(#blank) #every #contains #legacy #owned #unapplied #whole_day #case #least #former #since #until
    }
}

fn versions(versions: &Versions) -> TokenStream {
    match versions {
        Versions::None => quote!(::didww_types::Versions::None),
        Versions::All => quote!(::didww_types::Versions::All),
        Versions::Until(version) => quote!(::didww_types::Versions::Until(#version)),
        Versions::Since(version) => quote!(::didww_types::Versions::Since(#version)),
    }
}

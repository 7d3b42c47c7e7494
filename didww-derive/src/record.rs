//! Writes decoding and encoding of the record, and the record with every attribute optional.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::declaration::Declaration;

pub(crate) fn write(declaration: &Declaration) -> TokenStream {
    let names = names(declaration);
    let taken = Taken::of(declaration);
    let record = record(declaration, &taken);
    let partial = partial(declaration, &taken);
    quote! { #names #record #partial }
}

/// What the record and its partial form take out of a document in the same way.
struct Taken {
    relationships: Vec<TokenStream>,
    meta: Vec<TokenStream>,
    extra: Vec<TokenStream>,
}

impl Taken {
    fn of(declaration: &Declaration) -> Self {
        let relationships: Vec<TokenStream> = declaration
            .relationships
            .iter()
            .map(|rel| {
                let (ident, name) = (&rel.ident, &rel.name);
                let take = if rel.many { quote!(take_many) } else { quote!(take_one) };
                quote! { #ident: support::#take(&mut object, #name)? }
            })
            .collect();
        let meta: Vec<TokenStream> = declaration
            .meta
            .iter()
            .map(|(ident, _)| quote! { #ident: support::take_meta(&mut object)? })
            .collect();
        let extra: Vec<TokenStream> = declaration
            .extra
            .iter()
            .map(|ident| quote! { #ident: std::mem::take(&mut object.attributes) })
            .collect();
        Self { relationships, meta, extra }
    }
}

fn names(declaration: &Declaration) -> TokenStream {
    let ident = &declaration.ident;
    let names = declaration.relationships.iter().map(|rel| {
        let (record, name, doc) = (&rel.record, &rel.name, &rel.doc);
        let constant = format_ident!("{}", rel.name.to_ascii_uppercase());
        let kind = if rel.many { quote!(ToManyName) } else { quote!(ToOneName) };
        quote! {
            #[doc = #doc]
            pub const #constant: ::didww_types::#kind<#ident, #record> = ::didww_types::#kind::declared(#name);
        }
    });
    quote! {
        #[doc = "The names of the relationships."]
        impl #ident { #(#names)* }
    }
}

fn record(declaration: &Declaration, taken: &Taken) -> TokenStream {
    let Declaration { ident, .. } = declaration;
    let Taken { relationships, meta, extra } = taken;
    let constant = declaration.named("Declaration");
    let partial = declaration.named("Partial");
    let filter = declaration.named("Filter");
    let sort = declaration.named("Sort");
    let include = declaration.named("Include");
    let field = declaration.named("Field");

    let attributes = declaration.attributes.iter().map(|attr| {
        let (ident, name) = (&attr.ident, &attr.name);
        let default = attr.default.as_ref().map_or(quote!(None), |value| quote!(Some(#value)));
        quote! { #ident: support::take(&mut object.attributes, #name, #default)? }
    });
    let put_attributes = declaration.attributes.iter().map(|attr| {
        let (ident, name) = (&attr.ident, &attr.name);
        quote! { support::put(&mut object.attributes, #name, &self.#ident)?; }
    });
    let put_extra = declaration.extra.iter().map(|ident| quote! { object.attributes = self.#ident.clone(); });
    let put_relationships = declaration.relationships.iter().map(|rel| {
        let (ident, name) = (&rel.ident, &rel.name);
        quote! { support::relationship(&mut object, #name, self.#ident.to_object()); }
    });
    let put_meta = declaration.meta.iter().map(|(ident, _)| {
        quote! {
            let mut meta = support::Members::new();
            support::put(&mut meta, "meta", &self.#ident)?;
            if let Some(::didww_types::derive_support::Value::Object(members)) = meta.remove("meta") {
                object.meta = Some(members);
            }
        }
    });

    quote! {
        impl ::didww_types::Resource for #ident {
            const SPEC: &'static ::didww_types::ResourceSpec = &#constant;
            type Partial = #partial;
            type Filter = #filter;
            type Sort = #sort;
            type Include = #include;
            type Field = #field;

            fn id(&self) -> &::didww_types::Id<Self> {
                &self.id
            }

            fn decode(mut object: ::didww_types::ResourceObject) -> Result<Self, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                Ok(Self {
                    id: ::didww_types::Id::new(std::mem::take(&mut object.id)),
                    #(#attributes,)*
                    #(#relationships,)*
                    #(#meta,)*
                    #(#extra,)*
                })
            }

            fn encode(&self) -> Result<::didww_types::ResourceObject, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                let mut object = ::didww_types::ResourceObject {
                    id: self.id.as_str().to_owned(),
                    kind: <Self as ::didww_types::Named>::TYPE.to_owned(),
                    ..Default::default()
                };
                #(#put_extra)*
                #(#put_attributes)*
                #(#put_relationships)*
                #(#put_meta)*
                Ok(object)
            }
        }
    }
}

fn partial(declaration: &Declaration, taken: &Taken) -> TokenStream {
    let ident = &declaration.ident;
    let Taken { relationships, meta, extra } = taken;
    let partial = declaration.named("Partial");
    let partial_doc = format!("A [`{ident}`] of which only the chosen fields are there.");
    let partial_attributes = declaration.attributes.iter().map(|attr| {
        let (ident, ty, doc) = (&attr.ident, &attr.ty, &attr.doc);
        quote! { #[doc = #doc] pub #ident: Option<#ty> }
    });
    let partial_relationships = declaration.relationships.iter().map(|rel| {
        let (ident, record, doc) = (&rel.ident, &rel.record, &rel.doc);
        let wrapper = if rel.many { quote!(ToMany) } else { quote!(ToOne) };
        quote! { #[doc = #doc] pub #ident: ::didww_types::#wrapper<#record> }
    });
    let partial_meta = declaration
        .meta
        .iter()
        .map(|(ident, ty)| quote! { #[doc = "The record's own meta."] pub #ident: #ty });
    let partial_extra = declaration.extra.iter().map(|ident| {
        quote! {
            #[doc = "Attributes that this crate does not know."]
            pub #ident: ::didww_types::derive_support::Map<String, ::didww_types::derive_support::Value>
        }
    });
    let take_partial = declaration.attributes.iter().map(|attr| {
        let (ident, name) = (&attr.ident, &attr.name);
        quote! { #ident: support::take_partial(&mut object.attributes, #name)? }
    });

    quote! {
        #[doc = #partial_doc]
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct #partial {
            #[doc = "The record's id."]
            pub id: ::didww_types::Id<#ident>,
            #(#partial_attributes,)*
            #(#partial_relationships,)*
            #(#partial_meta,)*
            #(#partial_extra,)*
        }

        impl ::didww_types::Partial<#ident> for #partial {
            fn decode(mut object: ::didww_types::ResourceObject) -> Result<Self, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                Ok(Self {
                    id: ::didww_types::Id::new(std::mem::take(&mut object.id)),
                    #(#take_partial,)*
                    #(#relationships,)*
                    #(#meta,)*
                    #(#extra,)*
                })
            }
        }
    }
}

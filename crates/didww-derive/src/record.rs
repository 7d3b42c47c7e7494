//! Generates decoding and encoding of the record, and the partial record, whose attributes are all optional.
//!
//! The functions are `#[inline]` so that a program compiles those of the types that it uses, and not those of all
//! types.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::declaration::Declaration;

pub(crate) fn write(declaration: &Declaration) -> TokenStream {
    let names = names(declaration);
    let record = record(declaration);
    let partial = partial(declaration);
    let fields = fields(declaration);
    quote! { #names #record #partial #fields }
}

fn names(declaration: &Declaration) -> TokenStream {
    let ident = &declaration.ident;
    let companion = Declaration::companion();
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
        #companion
        #[doc = "The names of the relationships, as arguments of the client's relationship requests."]
        impl #ident { #(#names)* }
    }
}

fn record(declaration: &Declaration) -> TokenStream {
    let Declaration { ident, .. } = declaration;
    let constant = declaration.named("Declaration");
    let partial = declaration.named("Partial");
    let filter = declaration.named("Filter");
    let sort = declaration.named("Sort");
    let include = declaration.named("Include");
    let field = declaration.named("Field");

    let put_attributes = declaration.attributes.iter().map(|attr| {
        let (ident, name) = (&attr.ident, &attr.name);
        quote! { support::put(&mut object.attributes, #name, &self.#ident)?; }
    });
    let put_extra =
        declaration.extra.iter().map(|ident| quote! { object.attributes = self.#ident.clone().into(); });
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

            #[inline]
            fn id(&self) -> &::didww_types::Id<Self> {
                &self.id
            }

            #[inline]
            fn decode(object: ::didww_types::ResourceObject) -> Result<Self, ::didww_types::DecodeError> {
                use ::didww_types::derive_support::Fields as _;
                <#partial as ::didww_types::Partial<Self>>::decode(object)?.complete()
            }

            #[inline]
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

/// The partial record. Both ways of decoding use it: from a tree, and field by field.
fn partial(declaration: &Declaration) -> TokenStream {
    let (ident, vis, companion) = (&declaration.ident, &declaration.vis, Declaration::companion());
    let partial = declaration.named("Partial");
    let partial_doc =
        format!("A [`{ident}`] with only the fields that the request selected; the others are `None`.");
    let attributes = declaration.attributes.iter().map(|attr| {
        let (ident, ty, doc) = (&attr.ident, &attr.ty, &attr.doc);
        quote! { #[doc = #doc] pub #ident: Option<#ty> }
    });
    let relationships = declaration.relationships.iter().map(|rel| {
        let (ident, record, doc) = (&rel.ident, &rel.record, &rel.doc);
        let wrapper = if rel.many { quote!(ToMany) } else { quote!(ToOne) };
        quote! { #[doc = #doc] pub #ident: ::didww_types::#wrapper<#record> }
    });
    let meta = declaration
        .meta
        .iter()
        .map(|(ident, ty)| quote! { #[doc = "The record's `meta` member."] pub #ident: #ty });
    let extra = declaration.extra.iter().map(|ident| {
        quote! {
            #[doc = "Attributes that this crate does not declare."]
            pub #ident: ::didww_types::Extra
        }
    });
    let take_attributes = declaration.attributes.iter().map(|attr| {
        let (ident, name) = (&attr.ident, &attr.name);
        quote! { #ident: support::take_partial(&mut object.attributes, #name)? }
    });
    let put_attributes = declaration.attributes.iter().map(|attr| {
        let (ident, name) = (&attr.ident, &attr.name);
        quote! {
            if let Some(value) = &self.#ident {
                support::put(&mut members, #name, value)?;
            }
        }
    });
    let take_relationships = declaration.relationships.iter().map(|rel| {
        let (ident, name) = (&rel.ident, &rel.name);
        let take = if rel.many { quote!(take_many) } else { quote!(take_one) };
        quote! { #ident: support::#take(&mut object, #name)? }
    });
    let take_meta =
        declaration.meta.iter().map(|(ident, _)| quote! { #ident: support::take_meta(&mut object)? });
    let take_extra = declaration
        .extra
        .iter()
        .map(|ident| quote! { #ident: std::mem::take(&mut object.attributes).into() });

    quote! {
        #companion
        #[doc = #partial_doc]
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #vis struct #partial {
            #[doc = "The record's id, a UUID."]
            pub id: ::didww_types::Id<#ident>,
            #(#attributes,)*
            #(#relationships,)*
            #(#meta,)*
            #(#extra,)*
        }

        impl ::didww_types::Partial<#ident> for #partial {
            #[inline]
            fn attributes(
                &self,
            ) -> Result<::didww_types::derive_support::Members, ::didww_types::DecodeError> {
                #[allow(unused_imports, reason = "a resource may have no attributes")]
                use ::didww_types::derive_support as support;
                #[allow(unused_mut, reason = "a resource may have no attributes")]
                let mut members = ::didww_types::derive_support::Members::new();
                #(#put_attributes)*
                Ok(members)
            }

            #[inline]
            fn decode(mut object: ::didww_types::ResourceObject) -> Result<Self, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                Ok(Self {
                    id: ::didww_types::Id::new(std::mem::take(&mut object.id)),
                    #(#take_attributes,)*
                    #(#take_relationships,)*
                    #(#take_meta,)*
                    #(#take_extra,)*
                })
            }
        }
    }
}

/// Decoding field by field, straight from the text.
fn fields(declaration: &Declaration) -> TokenStream {
    let ident = &declaration.ident;
    let partial = declaration.named("Partial");
    let (attributes, attribute_names): (Vec<_>, Vec<_>) =
        declaration.attributes.iter().map(|attr| (&attr.ident, &attr.name)).unzip();
    let defaults = declaration
        .attributes
        .iter()
        .map(|attr| attr.default.as_ref().map_or(quote!(None), |value| quote!(Some(#value))));
    let (relationships, relationship_names): (Vec<_>, Vec<_>) =
        declaration.relationships.iter().map(|rel| (&rel.ident, &rel.name)).unzip();
    let meta: Vec<_> = declaration.meta.iter().map(|(ident, _)| ident).collect();
    let extra: Vec<_> = declaration.extra.iter().collect();
    let rest: Vec<_> = relationships.iter().chain(&meta).chain(&extra).collect();
    let unknown = declaration.extra.as_ref().map_or(
        quote!(support::ignore(members)?),
        |ident| quote!(support::keep(&mut self.#ident, name, members)?),
    );
    let read_meta = declaration.meta.as_ref().map_or(
        quote!(support::ignore(members)),
        |(ident, _)| quote! {{ self.#ident = members.next_value::<Option<_>>()?.unwrap_or_default(); Ok(()) }},
    );

    quote! {
        impl ::didww_types::derive_support::Fields for #partial {
            type Record = #ident;

            #[inline]
            fn without_fields() -> Self {
                Self {
                    id: ::didww_types::Id::new(""),
                    #(#attributes: None,)*
                    #(#rest: Default::default(),)*
                }
            }

            #[inline]
            fn identify(&mut self, id: ::didww_types::Id<#ident>) {
                self.id = id;
            }

            fn attribute<'de, A: ::didww_types::derive_support::MapAccess<'de>>(
                &mut self,
                name: std::borrow::Cow<'de, str>,
                members: &mut A,
            ) -> Result<(), A::Error> {
                use ::didww_types::derive_support as support;
                match &*name {
                    #(#attribute_names => self.#attributes = Some(support::next_value(members)?),)*
                    _ => #unknown,
                }
                Ok(())
            }

            fn relationship<'de, A: ::didww_types::derive_support::MapAccess<'de>>(
                &mut self,
                name: &str,
                members: &mut A,
            ) -> Result<(), A::Error> {
                match name {
                    #(#relationship_names => self.#relationships = members.next_value()?,)*
                    _ => ::didww_types::derive_support::ignore(members)?,
                }
                Ok(())
            }

            fn meta<'de, A: ::didww_types::derive_support::MapAccess<'de>>(
                &mut self,
                members: &mut A,
            ) -> Result<(), A::Error> {
                use ::didww_types::derive_support as support;
                #read_meta
            }

            #[inline]
            fn complete(self) -> Result<#ident, ::didww_types::DecodeError> {
                use ::didww_types::derive_support as support;
                Ok(#ident {
                    id: self.id,
                    #(#attributes: support::complete(self.#attributes, #attribute_names, #defaults)?,)*
                    #(#rest: self.#rest,)*
                })
            }
        }

        impl<'de> ::didww_types::derive_support::Deserialize<'de> for #partial {
            fn deserialize<D: ::didww_types::derive_support::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                ::didww_types::derive_support::read_partial(deserializer)
            }
        }

        impl<'de> ::didww_types::derive_support::Deserialize<'de> for #ident {
            fn deserialize<D: ::didww_types::derive_support::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                ::didww_types::derive_support::read_record::<#partial, D>(deserializer)
            }
        }
    }
}
